"""Making pages: by which ways people are reached, and where in the calling a page stands."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, connection
from django.db.models import Q

from accounts.models import User
from core.alike import insert_alike
from incidents.domain.lifecycle import Status
from incidents.domain.page_reasons import (
    FALLBACK,
    OFFERED,
    TAKEN,
    is_news,
)
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import EscalationRun, Page
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.queries.rules import goes_out_at, plan_for
from oncall.domain.escalations import Urgency
from oncall.queries.fallbacks import fallback_people

__all__ = [
    "ANY_OPEN",
    "DELAYED_AFTER",
    "HAS_ANSWERED",
    "WANTED",
    "Calls",
    "Gone",
    "Place",
    "Way",
    "Ways",
    "as_late",
    "closed_because",
    "insert",
    "is_to_account",
    "key_of",
    "late_by",
    "of_news",
    "ways_in_words",
]

# What goes out so long after it was due says so.
DELAYED_AFTER = timedelta(minutes=10)
_MINUTE = timedelta(minutes=1)
# While an incident stands so, pages of these reasons are still wanted; others while it is open.
WANTED = {
    "escalation": {Status.TRIGGERED},
    "unresolved": {Status.ACKNOWLEDGED},
    FALLBACK: {Status.TRIGGERED},
    # However it goes on: they hear how it stands by then.
    TAKEN: {Status.ACKNOWLEDGED, Status.MITIGATED, Status.RESOLVED, Status.CLOSED},
}
ANY_OPEN = {Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED}
# Why a page was cancelled where others are still called.
HAS_ANSWERED = "They have answered."


class Way(NamedTuple):
    """One way of reaching somebody.

    Args:
        target: Whom, e.g. user:alice.
        channel: By what, e.g. email.
        at: When, unless somebody has answered by then.
        person: Whom; None is a channel of a team.
        method: By which of their methods; None is the account's email address.
        time: Which of the times that their rules have for that method; 0 is the first.
        after: How long after the call their rule has it; None: no rule does.
    """

    target: str
    channel: str
    at: datetime
    person: int | None = None
    method: int | None = None
    time: int = 0
    after: timedelta | None = None


def ways_in_words(ways: Iterable[Way], *, now: datetime) -> list[dict[str, Any]]:
    """Return by which ways people are called now, as the facts of the call keep it: rules and hours change."""
    return [
        {
            "whom": way.target,
            "channel": way.channel,
            "method": way.method,
            "at": way.at.isoformat(),
            "after_s": None if way.after is None else way.after.total_seconds(),
            "is_quiet": way.at > now + (way.after or timedelta()),
        }
        for way in ways
    ]


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
            times: Counter[int] = Counter()
            ways = []
            for each in plan:
                method = each.method
                time = times[method.pk]
                ways.append(
                    Way(target, method.kind, each.at, person.pk, method.pk, time, each.after)
                )
                times[method.pk] += 1
            if not ways and person.email:
                (at,) = goes_out_at(person, urgency, [timedelta()], self.now)
                ways = [Way(target, Kind.EMAIL, at, person.pk)]
            self._people[known] = ways, bool(plan)
        return self._people[known]

    def of_news(self, person: User) -> list[Way]:
        """Return how a person is told what calls nobody: once by each method of their rules for it.

        Where those lead to no usable method, no other one is used: it might wake them.
        """
        ways, _ = self.of_person(person, Urgency.LOW)
        meant = (way for way in ways if way.after is not None or way.method is None)
        return [way for way in meant if not way.time]

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


class Place(NamedTuple):
    """Where in the calling for an incident a page is made: with it and a way, its key is known.

    Args:
        cycle: The incident's present one.
        severity: As it is now.
        reason: Why somebody is called, e.g. escalation.
        loop: 0 is the first.
        step: 1 is the first of the ladder.
        level: Of the step.
        urgency: Which rules of a person apply.
    """

    cycle: int
    severity: str
    reason: str
    loop: int = 0
    step: int = 0
    level: int = 0
    urgency: str = Urgency.HIGH


class Calls(NamedTuple):
    """Pages that go one way from one place, of many incidents.

    Args:
        place: Where the calling stands.
        way: How somebody is reached.
        of: Incident and escalation of each page; None where it is no escalation's.
        late: How long before now they should have been made, where no pager did.
    """

    place: Place
    way: Way
    of: Sequence[tuple[int, int | None]]
    late: timedelta = timedelta()


class Gone(IntegrityError):
    """Whom or by what a page should go was removed meanwhile: nothing was made. Look again."""


def insert(calls: Sequence[Calls], *, now: datetime) -> int:
    """Make pages; one that exists already, by its key, is left as it is. Returns how many.

    Whoever calls holds the locks of the incidents.

    Raises:
        Gone: A person or a method no longer exists. The transaction is to be undone.
    """
    if not calls:
        return 0
    _hold([each.way for each in calls])
    numbers, incidents, runs, keys = [], [], [], []
    for number, each in enumerate(calls):
        tail = _tail(each.place, each.way.target, each.way.method, each.way.time)
        for incident, run in each.of:
            numbers.append(number)
            incidents.append(incident)
            runs.append(run)
            keys.append(key_of(incident, tail))
    insert_alike(
        Page,
        [_shared(each, now) for each in calls],
        numbers,
        {"incident_id": incidents, "run_id": runs, "key": keys},
        on_conflict="DO NOTHING",
    )
    return len(keys)


def of_news() -> Q:
    """Return the condition on pages that call nobody, as `is_news` has it."""
    return Q(reason=TAKEN) | Q(reason__startswith=OFFERED)


def key_of(incident: int, tail: bytes) -> str:
    """Return a page's key: whoever makes the same page again makes the same key."""
    return hashlib.sha256(b"%d/%b" % (incident, tail)).hexdigest()


def _tail(place: Place | Page, target: str, method: int | None, time: int = 0) -> bytes:
    parts = place.cycle, place.loop, place.step, target, method or 0, place.reason
    # The first has none: keys of pages that are stored stay as they are.
    return "/".join(map(str, (*parts, time) if time else parts)).encode()


def closed_because(page: Page) -> str:
    """Return why a page can no longer go the way it was made for; "" where it still can."""
    if page.person is None:
        is_of_person = page.target.startswith("user:")
        return "That person was removed." if is_of_person else _method_closed_because(page)
    if not page.person.is_active:
        return f"{page.person} is no longer active."
    if not is_to_account(page):
        return _method_closed_because(page)
    return "" if page.person.email else f"{page.person} has no email address any more."


def is_to_account(page: Page) -> bool:
    """Return whether a page was made for the account's email address, as only its key still says.

    A page whose method was removed has none either, and nothing that was meant for one address may
    go to another.
    """
    made_for = key_of(page.incident_id, _tail(page, page.target, None))
    return page.method is None and page.key == made_for


def _method_closed_because(page: Page) -> str:
    if page.method is None:
        return "That contact method was removed."
    if not page.method.is_enabled:
        return f"{page.method} is switched off."
    return "" if page.method.is_usable else f"{page.method} is not verified any more."


def late_by(runs: Collection[int], *, now: datetime) -> dict[int, timedelta]:
    """Return how late the steps are that are much too late, to the minute, by their escalations.

    To be asked before they fire: then it is forgotten.
    """
    late = _due_before(runs, now - DELAYED_AFTER)
    return {run: (now - at) // _MINUTE * _MINUTE for run, at in late}


def _due_before(runs: Collection[int], moment: datetime) -> Iterable[tuple[int, datetime]]:
    if connection.vendor != "postgresql":
        late = EscalationRun.objects.filter(pk__in=runs, due_at__lt=moment)
        return late.values_list("pk", "due_at")
    # Two thousand numbers one by one cost both sides as much as the pages of two hundred do.
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, due_at FROM {EscalationRun._meta.db_table}"  # noqa: S608 our own name
            " WHERE id = ANY(%s::bigint[]) AND due_at < %s",
            [f"{{{','.join(map(str, runs))}}}", moment],
        )
        late_ones: list[tuple[int, datetime]] = cursor.fetchall()
        return late_ones


def as_late(
    of: Sequence[tuple[int, int]], late: Mapping[int, timedelta]
) -> Iterable[tuple[timedelta, list[tuple[int, int | None]]]]:
    """Return incidents and escalations, together those that are equally late."""
    found: dict[timedelta, list[tuple[int, int | None]]] = {}
    for incident, run in of:
        found.setdefault(late.get(run, timedelta()), []).append((incident, run))
    return found.items()


def _shared(calls: Calls, now: datetime) -> dict[str, Any]:
    """Return what pages have in common that go one way from one place."""
    place, way, _, late = calls
    # What waits by itself, for the end of quiet hours, would not have gone out earlier.
    may_wait = place.urgency == Urgency.LOW and way.at > now
    return {
        "cycle": place.cycle,
        "loop": place.loop,
        "step": place.step,
        "level": place.level,
        "person_id": way.person,
        "method_id": way.method,
        "target": way.target,
        "channel": way.channel,
        "reason": place.reason,
        "urgency": place.urgency,
        "severity": place.severity,
        "at_least_once": place.severity in AT_LEAST_ONCE and not is_news(place.reason),
        "state": Page.State.WAITING,
        "created_at": now,
        "due_at": way.at if may_wait else way.at - late,
        "look_at": way.at,
        "owner": "",
        "attempts": 0,
        "is_repeat": False,
        "provider_id": "",
        "problem": "",
    }


# What foreign keys would do for every single page.
_HELD = ", ".join(
    f"(SELECT count(*) FROM (SELECT FROM {model._meta.db_table} WHERE id = ANY(%s)"  # noqa: S608 our own names
    " ORDER BY id FOR KEY SHARE) AS held)"
    for model in (ContactMethod, User)
)


def _hold(ways: Sequence[Way]) -> None:
    """Keep whom and by what pages go from being removed until they are stored."""
    if connection.vendor != "postgresql":
        return
    methods = {way.method for way in ways if way.method is not None}
    people = {way.person for way in ways if way.person is not None}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_HELD}", [list(methods), list(people)])
        if cursor.fetchone() != (len(methods), len(people)):
            raise Gone("A person or a method is gone.")
