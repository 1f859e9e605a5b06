"""Making pages: by which ways people are reached, and where in the calling a page stands."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import User
from core import bulk
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import Page
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.queries.rules import plan_for
from oncall.domain.escalations import Urgency
from oncall.queries.fallbacks import fallback_people

__all__ = ["FALLBACK", "HAS_ANSWERED", "TAKEN", "Place", "Way", "Ways", "insert"]

FALLBACK = "fallback"
# Tells those who were called that somebody else has answered.
TAKEN = "taken"
# Why a page was cancelled where others are still called.
HAS_ANSWERED = "They have answered."


@dataclass(frozen=True)
class Way:
    """One way of reaching somebody.

    Args:
        target: Whom, e.g. user:alice.
        channel: By what, e.g. email.
        at: When, unless somebody has answered by then.
        person: Whom; None is a channel of a team.
        method: By which of their methods; None is the account's email address.
    """

    target: str
    channel: str
    at: datetime
    person: int | None = None
    method: int | None = None


class Ways:
    """By which ways people are reached at one instant; everybody is looked up once.

    Args:
        now: The instant.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._people: dict[tuple[int, str], tuple[list[Way], bool]] = {}
        self._fallback: tuple[list[Way], str] | None = None

    def of_person(self, person: User, urgency: str = Urgency.HIGH) -> tuple[list[Way], bool]:
        """Return how a person is reached, and whether any of their own methods is among it.

        Without any, the account's email address is tried: silence would be worse.
        """
        known = (person.pk, urgency)
        if known not in self._people:
            plan = plan_for(person, urgency, self.now)
            target = f"user:{person.username}"
            ways = [
                Way(target, each.method.kind, each.at, person.pk, each.method.pk) for each in plan
            ]
            if not ways and person.email:
                ways = [Way(target, Kind.EMAIL, self.now, person.pk)]
            self._people[known] = ways, bool(plan)
        return self._people[known]

    def of_channel(self, channel: ContactMethod) -> Way:
        """Return how a team's channel is reached."""
        return Way(f"channel:{channel.pk}", channel.kind, self.now, method=channel.pk)

    def of_fallback(self) -> tuple[list[Way], str]:
        """Return how the fallback contact is reached, and who it is."""
        if self._fallback is None:
            people, channels = fallback_people()
            ways = [self.of_channel(channel) for channel in channels]
            for person in people:
                ways += self.of_person(person)[0]
            whom = ", ".join([*map(str, people), *map(str, channels)])
            self._fallback = ways, whom or "nobody either"
        return self._fallback


@dataclass(frozen=True)
class Place:
    """Where in the calling for an incident a page is made: all that its key is made of.

    Args:
        incident: Number.
        cycle: Its present one.
        severity: As it is now.
        reason: Why somebody is called, e.g. escalation.
        run: The escalation, where it is one's.
        loop: 0 is the first.
        step: 1 is the first of the ladder.
        level: Of the step.
        urgency: Which rules of a person apply.
    """

    incident: int
    cycle: int
    severity: str
    reason: str
    run: int | None = None
    loop: int = 0
    step: int = 0
    level: int = 0
    urgency: str = Urgency.HIGH

    def page(self, way: Way, *, now: datetime) -> dict[str, Any]:
        """Return the row of a page that goes a way from here."""
        parts = (
            self.incident, self.cycle, self.loop, self.step, way.target, way.method or 0,
            self.reason,
        )  # fmt: skip
        return {
            "key": hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest(),
            "incident_id": self.incident,
            "run_id": self.run,
            "cycle": self.cycle,
            "loop": self.loop,
            "step": self.step,
            "level": self.level,
            "person_id": way.person,
            "method_id": way.method,
            "target": way.target,
            "channel": way.channel,
            "reason": self.reason,
            "urgency": self.urgency,
            "severity": self.severity,
            "at_least_once": self.severity in AT_LEAST_ONCE and self.reason != TAKEN,
            "state": Page.State.WAITING,
            "created_at": now,
            "due_at": way.at,
            "look_at": way.at,
            "owner": "",
            "attempts": 0,
            "is_repeat": False,
            "provider_id": "",
            "problem": "",
        }


def insert(pages: Sequence[dict[str, Any]]) -> int:
    """Insert pages; one that exists already, by its key, is left as it is."""
    bulk.insert_rows(Page, pages, on_conflict="DO NOTHING")
    return len(pages)
