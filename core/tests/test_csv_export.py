"""CSV that a spreadsheet shows and does not run."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.csv_export import csv_lines, safe_cell


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formula_is_quoted(start: str) -> None:
    """Text with one of the six dangerous beginnings gets an apostrophe."""
    assert safe_cell(f"{start}1+1") == f"'{start}1+1"


def test_numbers_stay_numbers() -> None:
    """A negative number is no formula."""
    assert safe_cell(-1.5) == -1.5
    assert safe_cell(None) is None


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=1))
def test_any_text_survives(cells: list[str]) -> None:
    """What is written is read back, but for the apostrophe."""
    text = "".join(csv_lines(["a"] * len(cells), [cells]))
    row = list(csv.reader(io.StringIO(text, newline="")))[1]
    assert row == [safe_cell(cell) for cell in cells]
    assert not any(cell[:1] in "=+-@\t\r" for cell in row if cell)
