"""The budget ledger: what took how much of an error budget. Its rows add up to the total."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from slo.domain.counts import Counts
from slo.domain.windows import Window


class Cause(StrEnum):
    """What happened. Where several overlap, the first named is held responsible."""

    INCIDENT = "incident"
    CHAOS = "chaos"
    DEPLOY = "deploy"
    NOTE = "note"


# A deploy without an end is held responsible for what fails in the hour after it.
AFTERMATH = {Cause.DEPLOY: timedelta(hours=1)}
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Happening:
    """Something on the time line of a service.

    Args:
        key: Identity of it.
        cause: What kind of thing.
        start: When it began.
        end: When it ended; None while it goes on, or when it was a moment.
        is_open: Whether it still goes on.
        rank: How grave it is among those of its kind; 0 is the gravest.
        is_consequence: Whether the bad events brought it about: it answers where nothing else does.
    """

    key: str
    cause: Cause
    start: datetime
    end: datetime | None = None
    is_open: bool = False
    rank: int = 0
    is_consequence: bool = False


@dataclass(frozen=True)
class Entry:
    """What one happening took of the budget; `key` None is what nothing accounts for.

    Args:
        key: Identity of the happening.
        counts: Events counted while it was responsible.
        share: Its bad events by the bad events allowed; None without a budget.
    """

    key: str | None
    counts: Counts
    share: Fraction | None


def responsible(happenings: Sequence[Happening], window: Window) -> list[tuple[str | None, Window]]:
    """Cut `window` into stretches with the key of the happening that answers for each.

    Stretches are whole minutes, cover the window without overlap, and touch: their counts add up
    to the window's exactly. Between happenings of one kind the graver one answers, and of those the
    one that began first; consequences come last of all.
    """
    order = list(Cause)
    spans = sorted(
        ((span, h) for h in happenings if (span := _span(h, window)) is not None),
        key=lambda pair: (
            pair[1].is_consequence,
            order.index(pair[1].cause),
            pair[1].rank,
            pair[1].start,
            pair[1].key,
        ),
    )
    borders = sorted({window.start, window.end, *(at for s, _ in spans for at in (s.start, s.end))})
    cut: list[tuple[str | None, Window]] = []
    for start, end in pairwise(borders):
        key = next((h.key for s, h in spans if s.start <= start and end <= s.end), None)
        if cut and cut[-1][0] == key:
            cut[-1] = (key, Window(cut[-1][1].start, end))
        else:
            cut.append((key, Window(start, end)))
    return cut


def _span(happening: Happening, window: Window) -> Window | None:
    end = happening.end
    if end is None:
        aftermath = AFTERMATH.get(happening.cause, MINUTE)
        end = window.end if happening.is_open else happening.start + aftermath
    start = happening.start.replace(second=0, microsecond=0)
    rounded = end.replace(second=0, microsecond=0)
    end = rounded if rounded == end else rounded + MINUTE
    clipped = Window(max(start, window.start), min(end, window.end))
    return clipped if clipped.end > clipped.start else None


def ledger(
    cut: Sequence[tuple[str | None, Window]], counts: Sequence[Counts], *, allowed: Fraction
) -> list[Entry]:
    """Return what each happening took, the greatest first and the unattributed rest last.

    Args:
        cut: From `responsible`.
        counts: Counts of each stretch, in the same order.
        allowed: Bad events that the objective allows in the window.
    """
    sums: dict[str | None, Counts] = {None: Counts()}
    for (key, _), part in zip(cut, counts, strict=True):
        sums[key] = sums.get(key, Counts()) + part
    entries = [
        Entry(key, total, Fraction(total.bad) / allowed if allowed else None)
        for key, total in sums.items()
    ]
    return sorted(entries, key=lambda entry: (entry.key is None, -entry.counts.bad, entry.key))
