"""Receipts: why somebody was called for an alert or an incident, or why nobody was, rule by rule.

A receipt is put together from what was stored when it was decided. Where that is gone, or never was
stored, the verdict is "not recorded": nothing is worked out anew with what is configured today.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

__all__ = [
    "NAMES_OF_CHANNELS",
    "Part",
    "Receipt",
    "Ruling",
    "Verdict",
    "clock",
    "in_a_row",
    "instant_of",
    "span",
    "times",
]

NAMES_OF_CHANNELS: Mapping[str, str] = {
    "sms": "text message",
    "voice": "telephone call",
    "slack": "Slack",
    "apprise": "push service",
    "web_push": "browser message",
}
_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Ruling(StrEnum):
    """What a rule came to."""

    CALLED = "called"
    NOT_CALLED = "not_called"
    PUT_OFF = "put_off"
    DECIDED = "decided"
    NO_EFFECT = "no_effect"
    NEXT = "next"
    NOT_RECORDED = "not_recorded"


class Verdict(Struct, frozen=True):
    """What one rule came to, and what decided it.

    Args:
        rule: Which one, e.g. "silence".
        verdict: What it came to.
        text: In one sentence or two; times in them are UTC.
        at: When; None where no moment is recorded, or it is no matter of one.
        facts: What decided, for programs: JSON.
    """

    rule: str
    verdict: Ruling
    text: str
    at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rule as pages call it."""
        return self.rule.replace("_", " ").capitalize()


class Part(Struct, frozen=True):
    """Verdicts that belong together, in the order in which they fell."""

    title: str
    verdicts: tuple[Verdict, ...]


class Receipt(Struct, frozen=True):
    """Why somebody was called, or nobody.

    Args:
        answer: All of it in one sentence.
        parts: The rules, each with its verdict.
        is_whole: False where only the newest of very many calls are in it.
    """

    answer: str
    parts: tuple[Part, ...]
    is_whole: bool = True


def clock(at: datetime, day: datetime | None = None) -> str:
    """Return an instant as sentences say it: 03:02 UTC, with its date unless that is `day`'s."""
    at = at.astimezone(UTC)
    is_same = day is not None and day.astimezone(UTC).date() == at.date()
    return f"{at:%H:%M} UTC" if is_same else f"{at:%Y-%m-%d %H:%M} UTC"


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units, e.g. 1 h 30 min."""
    rest, parts = round(length.total_seconds()), []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def times(count: int) -> str:
    """Return how often: once, 2 times."""
    return "once" if count == 1 else f"{count:,} times"


def in_a_row(names: Iterable[str]) -> str:
    """Return names as a sentence lists them: a, b and c."""
    found: Sequence[str] = [*names]
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def instant_of(said: object) -> datetime | None:
    """Return the instant that facts of a timeline keep as text; None where they have none."""
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None
