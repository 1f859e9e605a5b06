"""Heat maps."""

from hypothesis import given
from hypothesis import strategies as st

from core.charts import HeatMap, Name, Noun, heat_map

DAYS = [Name("Mon", "Monday"), Name("Tue", "Tuesday")]
HOURS = [Name(f"{hour:02}", f"{hour:02}:00–{hour + 1:02}:00") for hour in range(3)]


def of(counts: list[list[int]]) -> HeatMap:
    """Return the map of two days of three hours."""
    return heat_map(
        counts,
        id="m",
        title="When",
        rows=DAYS,
        columns=HOURS,
        noun=Noun("page", "pages"),
        href=lambda day, hour: f"/{day}/{hour}",
    )


def test_the_most_is_the_deepest_and_nothing_is_empty() -> None:
    """Depth is by share of the most; whatever happened at all is seen."""
    found = of([[0, 1, 4], [8, 2, 0]])
    levels = [[cell.level for cell in row.cells] for row in found.rows]
    assert levels == [[0, 1, 2], [4, 1, 0]]
    assert found.summary == "15 pages; most on Tuesday 00:00–01:00: 8."


def test_a_cell_says_in_full_what_it_counts_and_leads_to_it() -> None:
    """By day, hour and number; where there is nothing, nothing is opened."""
    (none, one, four), _ = (row.cells for row in of([[0, 1, 4], [0, 0, 0]]).rows)
    assert (one.text, one.href) == ("Monday 01:00–02:00: 1 page", "/0/1")
    assert (four.text, four.href) == ("Monday 02:00–03:00: 4 pages", "/0/2")
    assert (none.text, none.href) == ("Monday 00:00–01:00: 0 pages", "")


def test_a_map_of_nothing_says_so() -> None:
    found = of([[0] * 3, [0] * 3])
    assert found.summary == "No pages."
    assert {cell.level for row in found.rows for cell in row.cells} == {0}


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), min_size=2, max_size=2))
def test_more_is_no_paler(counts: list[list[int]]) -> None:
    """The order of depths is that of counts."""
    cells = sorted((cell.count, cell.level) for row in of(counts).rows for cell in row.cells)
    assert [level for _, level in cells] == sorted(level for _, level in cells)
    assert all((level == 0) == (count == 0) for count, level in cells)
