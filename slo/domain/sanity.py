"""Doubts about the input of SLIs: figures that a broken source makes, and hardly a service.

An SLI that counts nothing, or the same every minute, or not at all, looks healthy or steadily ill
for as long as nobody asks. Each rule here says what it saw; none of them changes a figure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from slo.domain.blocks import EVALUATED, GOOD, MEASURED, TOTAL, Block, Counter

# Minutes without a measurement from which a source counts as stale.
STALE_AFTER = 15
# Minutes in a row from which the same error ratio is one that nobody measures any more.
CONSTANT_FOR = 60
# A minute of fewer events repeats its ratio by chance: one bad check of six, each minute.
CONSTANT_EVENTS = 20
# With fewer events in the same hour of both days before, none now is chance or a quiet night.
EXPECTED_EVENTS = 20
# An hour of minutes without an event says something; fewer do not.
MOTIONLESS_FOR = 60

Flags = NDArray[np.bool_]


class Doubt(StrEnum):
    """What is odd about an SLI's input."""

    DOES_NOT_FIT = "does-not-fit"
    STALE = "stale"
    NEVER_MOVES = "never-moves"
    CONSTANT = "constant"


@dataclass(frozen=True)
class Input:
    """What was counted lately, all SLIs at once.

    Args:
        minutes: The newest hour, minute by minute, oldest first; an empty block where none is.
        day: The 24 hours that end with it.
        before: The same hour of the day before, and of the day before that.
        ever: All that was counted from the beginning on.
        asked: Slots of SLIs that a source is asked for. The others wait for their first event:
            a service nobody has called yet is not a broken counter.
    """

    minutes: Sequence[Block]
    day: Block
    before: tuple[Block, Block]
    ever: Block
    asked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Finding:
    """One doubt about one SLI.

    Args:
        slot: The SLI's.
        doubt: What is odd.
        detail: What was seen, in words.
        facts: The counts behind it.
    """

    slot: int
    doubt: Doubt
    detail: str
    facts: dict[str, int]


def findings(found: Input) -> Iterator[Finding]:
    """Yield what is odd in the counts: stale, never moving, constant; by slot within each."""
    slots = max(block.slots for block in (*found.minutes, found.day, *found.before, found.ever))
    counts = np.stack([block.widened(slots).counters for block in found.minutes])
    good, total, measured, evaluated = (
        counts[:, row] for row in (GOOD, TOTAL, MEASURED, EVALUATED)
    )
    yield from _stale(measured, evaluated, found.day.widened(slots))
    yield from _motionless(total, measured, found)
    yield from _constant(good, total)


def known(found: Input) -> Flags:
    """Return by slot whether anything was measured lately: without, no doubt is settled."""
    slots = max(block.slots for block in found.minutes)
    newest = [block.widened(slots).measured for block in found.minutes[-STALE_AFTER:]]
    seen: Flags = np.sum(newest, axis=0) > 0
    return seen


def _stale(measured: Counter, evaluated: Counter, day: Block) -> Iterator[Finding]:
    """Nothing lately, of what was measured within a day; a portal that was away doubts nobody."""
    newest = slice(-STALE_AFTER, None)
    looked_at = (evaluated[newest] > 0) & (measured[newest] > 0).any(axis=1, keepdims=True)
    silent = (measured[newest].sum(axis=0) == 0) & (looked_at.sum(axis=0) >= STALE_AFTER)
    for slot in np.flatnonzero(silent & (day.measured > 0)).tolist():
        text = f"Nothing was measured in the last {STALE_AFTER} minutes."
        yield Finding(slot, Doubt.STALE, text, {"minutes": STALE_AFTER})


def _motionless(total: Counter, measured: Counter, found: Input) -> Iterator[Finding]:
    """No event, while minutes are measured: all day, or in an hour that had events until now."""
    slots = total.shape[1]
    day, ever = found.day.widened(slots), found.ever.widened(slots)
    awaited = (ever.total > 0) | np.isin(np.arange(slots), list(found.asked))
    all_day = (day.total == 0) & (day.measured >= MOTIONLESS_FOR) & awaited
    usual = np.minimum(*(block.widened(slots).total for block in found.before))
    hour_measured = measured.sum(axis=0)
    hour = (total.sum(axis=0) == 0) & (usual >= EXPECTED_EVENTS) & (hour_measured >= MOTIONLESS_FOR)
    for slot in np.flatnonzero(all_day | hour).tolist():
        if all_day[slot]:
            minutes = int(day.measured[slot])
            text = f"Not one event was counted in {minutes:,} measured minutes of the last day."
            yield Finding(slot, Doubt.NEVER_MOVES, text, {"minutes": minutes, "events": 0})
            continue
        events = int(usual[slot])
        text = (
            "Not one event was counted in the last hour; the same hour of the two days before had"
            f" {events:,} or more."
        )
        yield Finding(slot, Doubt.NEVER_MOVES, text, {"minutes": MOTIONLESS_FOR, "usual": events})


def _constant(good: Counter, total: Counter) -> Iterator[Finding]:
    """The same error ratio each minute for an hour, neither none nor all, compared exactly."""
    if len(total) < CONSTANT_FOR:
        return
    bad = total - good
    # A fraction in its lowest terms: products of counts could be too large for 64 bits.
    common = np.maximum(np.gcd(bad, total), 1)
    low, high = bad // common, total // common
    same = ((low == low[-1]) & (high == high[-1])).all(axis=0)
    odd = same & (total.min(axis=0) >= CONSTANT_EVENTS) & (bad[-1] > 0) & (good[-1] > 0)
    for slot in np.flatnonzero(odd).tolist():
        of, per = int(low[-1, slot]), int(high[-1, slot])
        text = (
            f"Exactly {of:,} of {per:,} events were bad in each of the last {len(total)} minutes."
        )
        yield Finding(slot, Doubt.CONSTANT, text, {"bad": of, "of": per, "minutes": len(total)})
