"""Heat maps."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.charts import HeatMap, heat_map


def of(counts: list[list[int]]) -> HeatMap:
    """Return the map of two days of three hours."""
    return heat_map(
        counts, id="m", title="When", rows=["Mon", "Tue"], columns=["00", "01", "02"], noun="pages"
    )


def test_the_most_is_the_deepest_and_nothing_is_empty() -> None:
    """Depth is by share of the most; whatever happened at all is seen."""
    found = of([[0, 1, 4], [8, 2, 0]])
    levels = [[cell.level for cell in row.cells] for row in found.rows]
    assert levels == [[0, 1, 2], [4, 1, 0]]
    assert found.rows[1].cells[0].text == "Tue 00: 8 pages"
    assert found.summary == "15 pages; most at Tue 00: 8."


def test_a_map_of_nothing_says_so() -> None:
    found = of([[0] * 3, [0] * 3])
    assert found.summary == "No pages."
    assert {cell.level for row in found.rows for cell in row.cells} == {0}


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=3, max_size=3), min_size=2, max_size=2))
def test_cells_lie_side_by_side_and_more_is_no_paler(counts: list[list[int]]) -> None:
    """Within the width, none over another; the order of depths is that of counts."""
    found = of(counts)
    for row in found.rows:
        lefts = [cell.x for cell in row.cells]
        assert all(b - a >= found.width - 0.01 for a, b in itertools.pairwise(lefts))
        assert lefts[-1] + found.width <= 100.01
    depths = sorted(
        (count, cell.level)
        for row in found.rows
        for count, cell in zip(row.counts, row.cells, strict=True)
    )
    assert [level for _, level in depths] == sorted(level for _, level in depths)
    assert all((level == 0) == (count == 0) for count, level in depths)
