"""Ladders and working time, by arithmetic alone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.domain.escalations import (
    DEFAULT_TIMINGS,
    Ladder,
    Step,
    Urgency,
    WorkingHours,
    after_working_time,
    carried_over,
    in_order,
    ladder_from,
    next_position,
)

MINUTE = timedelta(minutes=1)
UTC_DAYS = WorkingHours(ZoneInfo("UTC"))


def ladder_of(*minutes: int, loops: int = 1) -> Ladder:
    """Return a ladder of levels 1, 2 … at these minutes."""
    steps = tuple(
        Step(level, MINUTE * after, Urgency.HIGH, False, ({"kind": "person", "id": level},))
        for level, after in enumerate(minutes, 1)
    )
    return Ladder(steps, loops, MINUTE * 15)


@given(
    minutes=st.lists(st.integers(0, 10_000), min_size=1, max_size=9).map(sorted),
    loops=st.integers(1, 5),
)
def test_every_step_of_every_loop_comes_once_at_its_time(minutes: list[int], loops: int) -> None:
    """Followed to its end, a ladder visits all steps of all loops in order, and waits what it must."""
    ladder = ladder_of(*minutes, loops=loops)
    at, place = MINUTE * minutes[0], (0, 0)
    visited = [(at, *place)]
    while (following := next_position(ladder, *place)) is not None:
        loop, position, wait = following
        assert wait >= timedelta()
        at, place = at + wait, (loop, position)
        visited.append((at, loop, position))
    assert [(loop, step) for _, loop, step in visited] == [
        (loop, step) for loop in range(loops) for step in range(len(minutes))
    ]
    length = MINUTE * (minutes[-1] - minutes[0]) + ladder.repeat_after
    assert [at for at, _, _ in visited] == [
        MINUTE * minutes[step] + length * loop for _, loop, step in visited
    ]


@pytest.mark.parametrize(
    ("loop", "position", "expected"),
    [
        # One of three levels was called: the second one comes 20 minutes after it.
        (0, 1, (0, 1, 20)),
        (0, 0, (0, 0, 5)),
        # All of the new ladder were called: it begins again.
        (0, 3, (1, 0, 15)),
        (1, 0, (1, 0, 15)),
        (1, 2, (1, 2, 30)),
        (1, 3, None),
        # More loops than the new one has: all were called.
        (2, 1, None),
    ],
)
def test_a_walk_goes_on_up_another_ladder(
    loop: int, position: int, expected: tuple[int, int, int] | None
) -> None:
    """With the first level that it has not called, as long after the last call as that one has it."""
    old, new = ladder_of(0, 1, 2, 3, loops=3), ladder_of(5, 25, 55, loops=2)
    found = carried_over(old, new, loop, position)
    assert (found and (*found[:2], found[2] // MINUTE)) == expected


def test_a_level_that_only_the_other_ladder_has_is_called() -> None:
    """Also where the first one has gone round already."""
    old, new = ladder_of(0, 1, loops=2), ladder_of(0, 1, 2)
    assert carried_over(old, new, 1, 1) == (1, 2, MINUTE)
    assert carried_over(old, ladder_of(0, 1), 1, 1) is None


@given(minutes=st.lists(st.integers(0, 10_000), min_size=1, max_size=9).map(sorted))
def test_a_snapshot_gives_back_the_ladder(minutes: list[int]) -> None:
    ladder = ladder_of(*minutes, loops=2)
    assert ladder_from(ladder.to_json()) == ladder


def test_the_guides_matrix_is_in_order() -> None:
    """No severity calls a higher level before a lower one."""
    for timings in DEFAULT_TIMINGS.values():
        assert in_order(timings) == list(timings)
        assert [t.level for t in timings] == sorted(t.level for t in timings)


@pytest.mark.parametrize(
    ("start", "wait_h", "end"),
    [
        ("2026-03-02T10:00", 4, "2026-03-02T14:00"),
        ("2026-03-02T03:00", 4, "2026-03-02T13:00"),
        ("2026-03-02T15:00", 4, "2026-03-03T11:00"),
        # Friday to Monday, and a wait longer than a week.
        ("2026-03-06T17:00", 1, "2026-03-09T10:00"),
        ("2026-03-02T09:00", 41, "2026-03-09T10:00"),
        ("2026-03-07T12:00", 0, "2026-03-07T12:00"),
    ],
)
def test_working_time(start: str, wait_h: int, end: str) -> None:
    begins = datetime.fromisoformat(start).replace(tzinfo=UTC)
    found = after_working_time(begins, timedelta(hours=wait_h), UTC_DAYS)
    assert found == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_working_time_follows_the_wall_clock() -> None:
    """London, over the night in which clocks go forward: Monday nine o'clock is eight in UTC."""
    hours = WorkingHours(ZoneInfo("Europe/London"))
    friday = datetime(2026, 3, 27, 16, tzinfo=UTC)
    found = after_working_time(friday, timedelta(hours=2), hours)
    assert found == datetime(2026, 3, 30, 9, tzinfo=UTC)


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    first=st.integers(1, 3000),
    second=st.integers(1, 3000),
)
def test_waits_add_up(start: datetime, first: int, second: int) -> None:
    """Waiting twice is waiting once for as long as both."""
    at = start.replace(tzinfo=UTC)
    hours = WorkingHours(ZoneInfo("America/Chicago"), time(8), time(18))
    once = after_working_time(at, MINUTE * (first + second), hours)
    twice = after_working_time(
        after_working_time(at, MINUTE * first, hours), MINUTE * second, hours
    )
    assert once == twice


def test_working_hours_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="before they end"):
        WorkingHours(ZoneInfo("UTC"), time(17), time(9))
