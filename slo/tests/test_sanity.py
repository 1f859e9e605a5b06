"""What is doubted of an SLI's input, and what is not: quiet nights, outages, low traffic."""

import numpy as np
import pytest

from slo.domain.blocks import COUNTERS, EVALUATED, GOOD, MEASURED, TOTAL, Block
from slo.domain.sanity import Doubt, Input, findings, known


def block(good: int = 0, total: int = 0, measured: int = 1, evaluated: int = 1) -> Block:
    """Return one SLI's counters; the last slot is another SLI that is always measured."""
    counters = np.zeros((COUNTERS, 2), dtype=np.int64)
    counters[[GOOD, TOTAL, MEASURED, EVALUATED], 0] = good, total, measured, evaluated
    counters[[GOOD, TOTAL, MEASURED, EVALUATED], 1] = 7, 7, 1, 1
    return Block(counters)


def doubts(minutes: list[Block], usual: int = 0, *, asked: bool = False, ever: int = 1) -> set[str]:
    """Return what is doubted of the first SLI after an hour of `minutes`, with `usual` events."""
    day = Block(np.sum([minute.counters for minute in minutes], axis=0)).plus(block(usual, usual))
    before = block(usual, usual, 60, 60)
    found = Input(
        minutes, day, (before, before), day.plus(block(ever, ever)), frozenset({0} if asked else ())
    )
    return {finding.doubt for finding in findings(found) if finding.slot == 0}


def test_an_ordinary_hour_is_not_doubted() -> None:
    """Counts that vary, some of them bad."""
    minutes = [block(90 + n % 7, 100 + n % 3) for n in range(60)]
    assert doubts(minutes, usual=6000) == set()


@pytest.mark.parametrize(("bad", "total"), [(1, 100), (3, 20), (50, 100)])
def test_the_same_ratio_each_minute_is_constant(bad: int, total: int) -> None:
    """A stuck query answers 1 % for ever, whatever the traffic does."""
    minutes = [block((total - bad) * (1 + n % 3), total * (1 + n % 3)) for n in range(60)]
    assert doubts(minutes, usual=6000) == {Doubt.CONSTANT}
    minutes[30] = block(total, total)
    assert doubts(minutes, usual=6000) == set()


@pytest.mark.parametrize(
    ("good", "total"),
    [(100, 100), (0, 100), (5, 6)],
    ids=["all good", "an outage", "one probe of six fails"],
)
def test_what_services_do_is_not_constant(good: int, total: int) -> None:
    """All good, all bad, and a few checks a minute repeat their ratio."""
    assert doubts([block(good, total)] * 60, usual=6000) == set()


def test_large_counts_are_compared_exactly() -> None:
    """Products of such counts would not fit 64 bits."""
    most = 2**52
    same = [block(most - most // 4, most)] * 60
    assert doubts(same, usual=10) == {Doubt.CONSTANT}
    assert doubts([*same[:-1], block(most - most // 4 - 1, most)], usual=10) == set()


def test_an_hour_without_events_is_doubted_where_there_were_some_before() -> None:
    """Twenty in the same hour of both days before: chance is ruled out."""
    assert doubts([block()] * 60, usual=20) == {Doubt.NEVER_MOVES}
    assert doubts([block()] * 60, usual=19) == set()
    assert doubts([*[block()] * 59, block(1, 1)], usual=20) == set()


def test_a_day_without_events() -> None:
    """Doubted of a source that is asked, and of a service that was called once."""
    assert doubts([block()] * 60, asked=True, ever=0) == {Doubt.NEVER_MOVES}
    assert doubts([block()] * 60, ever=1) == {Doubt.NEVER_MOVES}
    assert doubts([block()] * 60, ever=0) == set()


def test_a_silent_source_is_stale_after_a_quarter_of_an_hour() -> None:
    """Gaps, while other SLIs were measured."""
    gap = block(measured=0)
    hour = [block(9 + n % 2, 10) for n in range(60)]
    assert doubts([*hour[15:], *[gap] * 15], usual=100) == {Doubt.STALE}
    assert doubts([*hour[14:], *[gap] * 14], usual=100) == set()


def test_an_outage_of_the_portal_doubts_nobody() -> None:
    """Minutes in which nothing at all was measured, or that nobody looked at, say nothing."""
    dark = Block(np.zeros((COUNTERS, 2), dtype=np.int64))
    assert doubts([*[block(9, 10)] * 45, *[dark] * 15], usual=100) == set()
    dark.counters[EVALUATED] = 1
    assert doubts([*[block(9, 10)] * 45, *[dark] * 15], usual=100) == set()


def test_silence_settles_nothing() -> None:
    """Only an SLI that is measured can lose its doubts."""
    hour = [block(9, 10)] * 45
    empty = block(0, 0)
    assert known(Input([*hour, *[block(measured=0)] * 15], empty, (empty, empty), empty))[0] == 0
    assert known(Input([*hour, *[block()] * 15], empty, (empty, empty), empty))[0] == 1
