"""Corrections: intervals whose counts should not be judged as they were measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from core.recurrence import starts
from slo.domain.blocks import MILLIONTHS, UNITS, Slice
from slo.domain.windows import Window

MINUTE = timedelta(minutes=1)


class Mode(StrEnum):
    """What becomes of a corrected minute. Where corrections overlap, the first named wins."""

    EXCLUDE = "exclude"
    COUNT_AS_GOOD = "count_as_good"
    CAP = "cap"


@dataclass(frozen=True)
class Correction:
    """One interval, or a repeating one, and what is done to its minutes.

    Args:
        mode: What is done.
        start: Begin of the first occurrence, aware.
        end: Its end; a minute that it only touches is corrected whole.
        rule: RFC 5545 RRULE without DTSTART (`FREQ=WEEKLY;BYDAY=SU`); empty for once.
        zone: IANA zone whose wall clock the rule follows.
        cap: Mode CAP: greatest share of a minute's events that counts as bad.
        cancelled_at: Occurrences that begin from here on do not happen; None: all do.
        early_ends: Ends of occurrences that were over before their time, by when they begin.
    """

    mode: Mode
    start: datetime
    end: datetime
    rule: str = ""
    zone: str = "UTC"
    cap: Fraction = Fraction(0)
    cancelled_at: datetime | None = None
    early_ends: Mapping[datetime, datetime] = field(default_factory=dict, hash=False)


class Delta(NamedTuple):
    """What corrections add to the counts of a minute or a window; mostly negative.

    Args:
        good: Good events.
        total: Valid events.
        measured: Measured minutes.
        expected: Minutes that should have been measured.
        active: Minutes with events.
        met: Of those, minutes that reached the slice target.
        rated: Sum of the minutes' good shares, in millionths.
    """

    good: int = 0
    total: int = 0
    measured: int = 0
    expected: int = 0
    active: int = 0
    met: int = 0
    rated: int = 0

    def plus(self, other: "Delta") -> "Delta":
        """Return the sum."""
        return Delta(*(a + b for a, b in zip(self, other, strict=True)))

    def minus(self, other: "Delta") -> "Delta":
        """Return the difference."""
        return Delta(*(a - b for a, b in zip(self, other, strict=True)))


def counted(value: Slice | None, *, target: int, expected: bool) -> Delta:
    """Return what one minute counts for; nothing when it is left out altogether.

    Args:
        value: The minute, or None when excluded.
        target: Share of good events from which it is met, in 1e-8.
        expected: Whether it lies after the SLI's first data.
    """
    if value is None:
        return Delta()
    good, total = value.good, value.total
    return Delta(
        good=good,
        total=total,
        measured=int(value.measured),
        expected=int(expected),
        active=int(total > 0),
        met=int(total > 0 and good * UNITS >= target * total),
        rated=good * MILLIONTHS // total if total else 0,
    )


def occurrences(correction: Correction, window: Window) -> list[Window]:
    """Return the parts of `window` that the correction covers, in whole minutes, oldest first.

    A repetition keeps its length in elapsed time and its begin on the local wall clock, so an
    hour's maintenance at 02:00 is an hour on the days of 23 and 25 hours too.
    """
    length = correction.end - correction.start
    found = []
    first = window.start - length
    for start in _starts(correction, first, window.end):
        if correction.cancelled_at is not None and start >= correction.cancelled_at:
            continue
        end = min(start + length, correction.early_ends.get(start, start + length))
        if correction.cancelled_at is not None:
            end = min(end, correction.cancelled_at)
        if end <= start:
            continue
        clipped = Window(max(_floor(start), window.start), min(_ceil(end), window.end))
        if clipped.end > clipped.start:
            found.append(clipped)
    return found


def _starts(correction: Correction, after: datetime, before: datetime) -> list[datetime]:
    """Return when occurrences begin; of a rule that nothing can be worked out of there are none."""
    try:
        return list(starts(correction.rule, correction.start, correction.zone, after, before))
    except ValueError:
        return []


def _floor(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _ceil(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + MINUTE


Treatment = tuple[Mode, Fraction]


def by_minute(corrections: Sequence[Correction], window: Window) -> dict[datetime, Treatment]:
    """Return what is done to each corrected minute of `window`: the mode that wins and its cap."""
    found: dict[datetime, Treatment] = {}
    for correction in corrections:
        mine = (correction.mode, correction.cap)
        for part in occurrences(correction, window):
            at = part.start
            while at < part.end:
                found[at] = _stronger(found.get(at), mine)
                at += MINUTE
    return found


def overlaid(
    below: Mapping[datetime, Treatment], above: Mapping[datetime, Treatment]
) -> dict[datetime, Treatment]:
    """Return both together; where they meet, the mode that wins."""
    return {**below, **{at: _stronger(below.get(at), mine) for at, mine in above.items()}}


def _stronger(known: Treatment | None, new: Treatment) -> Treatment:
    if known is None:
        return new
    # Between two caps the one that forgives more wins.
    return min(known, new, key=lambda item: (_ORDER.index(item[0]), item[1]))


_ORDER = list(Mode)


def corrected(measured: Slice, mode: Mode, cap: Fraction) -> Slice | None:
    """Return a minute as it is judged, or None when it leaves the window altogether.

    A gap stays a gap: nobody knows what could be forgiven. A capped share is rounded down to
    whole events.
    """
    if mode is Mode.EXCLUDE:
        return None
    if not measured.measured or mode is Mode.COUNT_AS_GOOD:
        return Slice(measured.total, measured.total, measured.measured)
    most = int(cap * measured.total)
    return Slice(max(measured.good, measured.total - most), measured.total)
