"""Readiness: how surely a person is woken, as points out of 100 with what to do about the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications.domain.kinds import Kind

__all__ = ["WAKES", "Check", "Readiness", "Way", "readiness_of"]

# What rings through the night; email, chat and webhooks wait to be looked at.
WAKES = frozenset({Kind.SMS, Kind.VOICE, Kind.WEB_PUSH, Kind.APPRISE})
SOON = timedelta(minutes=5)
RECENTLY = timedelta(days=30)


@dataclass(frozen=True)
class Way:
    """One way by which a person is called when it is urgent.

    Args:
        kind: By what.
        delay: How long after they are called.
        delivered_at: When its provider last took a message.
        failed_at: When it last refused one.
    """

    kind: Kind
    delay: timedelta = timedelta()
    delivered_at: datetime | None = None
    failed_at: datetime | None = None

    def is_proven(self, now: datetime) -> bool:
        """Whether a message went through lately, and none failed since."""
        if self.delivered_at is None or self.delivered_at < now - RECENTLY:
            return False
        return self.failed_at is None or self.failed_at <= self.delivered_at


@dataclass(frozen=True)
class Check:
    """One thing that makes it surer that somebody is woken.

    Args:
        name: Stable word for programs.
        points: What it counts.
        is_met: Whether it holds.
        advice: What to do, in words.
    """

    name: str
    points: int
    is_met: bool
    advice: str


@dataclass(frozen=True)
class Readiness:
    """How surely a person is woken.

    Args:
        checks: All of them, the most important first.
    """

    checks: tuple[Check, ...]

    @property
    def score(self) -> int:
        """0 to 100; 0 is: cannot be reached at all."""
        return sum(check.points for check in self.checks if check.is_met)

    @property
    def is_reachable(self) -> bool:
        """Whether there is any verified way."""
        return self.checks[0].is_met

    @property
    def missing(self) -> tuple[Check, ...]:
        """What is left to do."""
        return tuple(check for check in self.checks if not check.is_met)


def readiness_of(ways: Sequence[Way], now: datetime) -> Readiness:
    """Return how surely a person is woken.

    Args:
        ways: Verified, switched on, and used when it is urgent.
        now: The present.
    """
    kinds = {way.kind for way in ways}
    checks = (
        ("reachable", 40, bool(ways), "Add a way to reach you, and verify it."),
        (
            "wakes",
            20,
            bool(kinds & WAKES),
            "Add a way that rings: a text message, a telephone call, a browser or a push service.",
        ),
        (
            "two_kinds",
            15,
            len(kinds) > 1,
            "Add a second kind of way, for the night on which the first one is down.",
        ),
        (
            "soon",
            10,
            any(way.delay <= SOON for way in ways),
            "Let one of your rules call you within five minutes.",
        ),
        (
            "proven",
            15,
            any(way.is_proven(now) for way in ways),
            "Press Test: within 30 days no message went through that did not fail afterwards.",
        ),
    )
    return Readiness(tuple(Check(*check) for check in checks))
