"""Lengths of time as people write them."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from core.durations import DurationField, read_duration, written

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("15", 15 * MINUTE),
        ("0", timedelta()),
        ("15m", 15 * MINUTE),
        ("15 MIN", 15 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1 h  30 min", 90 * MINUTE),
        ("1.5 h", 90 * MINUTE),
        ("2d", timedelta(days=2)),
        ("90 s", 1.5 * MINUTE),
        ("00:15:00", 15 * MINUTE),
        ("PT15M", 15 * MINUTE),
    ],
)
def test_what_people_write(text: str, found: timedelta) -> None:
    assert read_duration(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "-5 min", "5 min later", "5 weeks", "1e3 s", "٣ min", "9" * 40],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="15 min"):
        read_duration(text)


@given(st.integers(0, 366 * 86_400))
def test_what_is_shown_is_read_again(seconds: int) -> None:
    length = timedelta(seconds=seconds)
    assert read_duration(written(length)) == length


def test_the_field_shows_and_reads() -> None:
    field = DurationField(required=False)
    assert field.prepare_value(timedelta(minutes=75)) == "1 h 15 min"
    assert field.clean("75") == timedelta(minutes=75)
    assert field.clean("  ") is None
    with pytest.raises(ValidationError, match="Write it like 15 min"):
        field.clean("later")


@pytest.mark.parametrize("text", ["367 d", "9999 d", "PT9999H"])
def test_the_longest_is_told(text: str) -> None:
    """It is written as it should be, so how to write it is no help."""
    with pytest.raises(ValidationError, match="At most 366 d"):
        DurationField().clean(text)
