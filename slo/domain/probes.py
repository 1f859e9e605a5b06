"""Synthetic checks: what a good answer is, and what the checks of a minute say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from slo.domain.blocks import GAP, Slice

__all__ = ["Check", "Expectation", "Outcome", "next_due", "probe_slice", "status_ranges"]

MINUTE = timedelta(minutes=1)
MAX_RANGES = 20


class Outcome(StrEnum):
    """What a check found; `not_run` is our own failure and says nothing of the target."""

    GOOD = "good"
    BAD = "bad"
    NOT_RUN = "not_run"


@dataclass(frozen=True)
class Expectation:
    """What an answer must be.

    Args:
        statuses: Ranges of good statuses, both ends included.
        body: Text that the answer must hold; empty accepts every body.
        within_ms: Most milliseconds the whole check may take; None only has the time limit.
    """

    statuses: Sequence[tuple[int, int]]
    body: str = ""
    within_ms: int | None = None

    def failure(self, *, status: int, body: bytes, elapsed_ms: float) -> str:
        """Return why an answer is bad, or an empty text when it is good."""
        if not any(low <= status <= high for low, high in self.statuses):
            return f"answered with {status}"
        if self.body and self.body.encode() not in body:
            return "the text is not in the answer"
        if self.within_ms is not None and elapsed_ms > self.within_ms:
            return f"took {elapsed_ms:.0f} ms, more than {self.within_ms} ms"
        return ""


def status_ranges(text: str) -> list[tuple[int, int]]:
    """Return the ranges that e.g. `200-299,301` says.

    Raises:
        ValueError: With what to write.
    """
    ranges = []
    for part in text.replace(" ", "").split(","):
        low, dash, high = part.partition("-")
        ends = (low, high if dash else low)
        if not all(end.isascii() and end.isdecimal() and len(end) == 3 for end in ends):
            raise ValueError("Write statuses and ranges, e.g. 200-299,301.")
        first, last = int(ends[0]), int(ends[1])
        if not 100 <= first <= last <= 599:
            raise ValueError("Statuses lie between 100 and 599, the smaller one first.")
        ranges.append((first, last))
    if len(ranges) > MAX_RANGES:
        raise ValueError(f"At most {MAX_RANGES} statuses and ranges.")
    return ranges


def next_due(planned: datetime, every: timedelta, *, now: datetime) -> tuple[datetime, datetime]:
    """Return when the newest due check was due, and when the one after it will be.

    Args:
        planned: When the oldest due check was due; not after `now`.
        every: Time between two checks.
        now: The present.
    """
    at = planned + every * ((now - planned) // every)
    return at, at + every


@dataclass(frozen=True)
class Check:
    """One check that was made, or should have been."""

    at: datetime
    outcome: Outcome


def probe_slice(checks: Sequence[Check], minute: datetime, *, every: timedelta) -> Slice:
    """Return what the checks that began in a minute say of it.

    Checks less than one a minute leave minutes without one; they are measured and empty as long
    as the check before was made in time. Where none was made, the portal did not watch: a gap.

    Args:
        checks: Of one probe, at least from `every` + 1 min before the minute on.
        minute: Its start.
        every: Time between two checks.
    """
    made = [check for check in checks if check.outcome is not Outcome.NOT_RUN]
    within = [check for check in made if minute <= check.at < minute + MINUTE]
    if within:
        good = sum(check.outcome is Outcome.GOOD for check in within)
        return Slice(good, len(within))
    watched_from = minute - every
    is_watched = any(watched_from <= check.at < minute for check in made) and every > MINUTE
    return Slice() if is_watched else GAP
