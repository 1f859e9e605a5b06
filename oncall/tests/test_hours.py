"""Hours of the week as people write them."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncall.domain.hours import read_hours, written
from oncall.domain.rotations import Restriction

ALL = frozenset(range(7))


@pytest.mark.parametrize(
    ("line", "begins", "ends", "days"),
    [
        ("Mon-Fri 09:00-17:00", time(9), time(17), {0, 1, 2, 3, 4}),
        ("mon – fri 9:00 – 17:30", time(9), time(17, 30), {0, 1, 2, 3, 4}),
        ("Saturday, sun", time(), time(), {5, 6}),
        ("Fri-Mon 22:00-06:00", time(22), time(6), {4, 5, 6, 0}),
        ("22:00-06:00", time(22), time(6), ALL),
        ("Mon,Wed,Fri-Sat 00:00-12:00", time(), time(12), {0, 2, 4, 5}),
    ],
)
def test_what_people_write(line: str, begins: time, ends: time, days: set[int]) -> None:
    assert read_hours(line) == Restriction(begins, ends, frozenset(days))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "always",
        "Mon 9-17",
        "Mon-Tue-Wed",
        "Xyz 09:00-17:00",
        "25:00-26:00",
        "09:61-10:00",
        "Frisk",
    ],
)
def test_what_is_none(line: str) -> None:
    with pytest.raises(ValueError, match=r"write hours|no day|no time"):
        read_hours(line)


@given(
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    st.frozensets(st.integers(0, 6), min_size=1),
)
def test_what_is_shown_is_read_again(begins: time, ends: time, days: frozenset[int]) -> None:
    hours = Restriction(begins, ends, days)
    assert read_hours(written(hours)) == hours
