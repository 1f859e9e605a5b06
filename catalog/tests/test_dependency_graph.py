"""Paths in the graph of dependencies."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog.domain.dependency_graph import path_between, reach

GRAPHS = st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9), max_size=4))


@given(GRAPHS, st.integers(0, 9), st.integers(0, 9))
def test_path_is_one(edges: dict[int, list[int]], start: int, end: int) -> None:
    """A path begins and ends where asked, along edges, and visits nothing twice."""
    path = path_between(edges, start, end)
    if path is None:
        assert end not in reach(edges, start)
        return
    assert (path[0], path[-1]) == (start, end)
    assert all(step in edges[before] for before, step in pairwise(path))
    assert len(set(path)) == len(path)


@given(GRAPHS, st.integers(0, 9))
def test_reach_is_what_has_a_path(edges: dict[int, list[int]], start: int) -> None:
    """Reach and paths agree, and nearer nodes come first."""
    found = reach(edges, start)
    assert set(found) == {
        node for node in range(10) if node != start and path_between(edges, start, node)
    }
    lengths = [len(path_between(edges, start, node) or []) for node in found]
    assert lengths == sorted(lengths)
