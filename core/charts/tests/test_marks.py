"""Sparkline, strip and meter."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import Bar, meter, sparkline, strip


def test_spark_breaks_at_no_data() -> None:
    """A hole in the values is a hole in the line."""
    assert sparkline([1.0, 2.0, None, 2.0, 1.0]).line.count("M") == 2


def test_spark_of_nothing_is_empty() -> None:
    """Without a value there is no line, flat or otherwise."""
    assert sparkline([None, None]).line == sparkline([]).line == ""


@given(st.lists(st.none() | st.floats(-1e9, 1e9), max_size=40))
def test_spark_stays_in_its_box(values: list[float | None]) -> None:
    """Every vertical position is inside the box."""
    spark = sparkline(values, 100, 30)
    for pair in spark.line.replace("h0", "").replace("M", "L").split("L")[1:]:
        x, y = (float(part) for part in pair.split())
        assert 0 <= x <= 100
        assert 0 <= y <= 30


def test_strip_has_a_column_for_each_bar() -> None:
    """Columns stand side by side without overlap, and say what they are."""
    row = strip([Bar("1 Nov", "ok", "100 %"), Bar("2 Nov", "none")])
    first, second = row.columns
    assert first.x + first.width <= second.x
    assert second.x + second.width == row.width
    assert (first.text, second.text) == ("1 Nov: 100 %", "2 Nov")


@pytest.mark.parametrize(
    ("used", "filled", "tone"),
    [
        (0.0, 0, "ok"),
        (0.62, 62, "warn"),
        (1.0, 100, "bad"),
        (1.41, 100, "bad"),
        (-0.2, 0, "ok"),
        (None, 0, "none"),
        (math.nan, 0, "none"),
    ],
)
def test_meter_is_filled_within_its_bar(used: float | None, filled: float, tone: str) -> None:
    """The bar never leaves its box; the tone tells what the bar cannot."""
    found = meter(used)
    assert (found.filled, found.tone) == (filled, tone)
