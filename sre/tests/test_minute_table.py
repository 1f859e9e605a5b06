"""Rules of the table of histograms by minute."""

from hypothesis import given
from hypothesis import strategies as st

from sre.minute_table import MinuteTable

entries = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from("abc"), st.integers(0, 9)), max_size=60
)


def table(events: list[tuple[int, str, int]], **limits: int) -> MinuteTable[str]:
    """Return a table of one-bucket entries."""
    filled: MinuteTable[str] = MinuteTable(**{"max_minutes": 1000, "max_entries": 1000, **limits})
    for minute, key, count in events:
        filled.add(minute * 60, key, [float(count), count])
    return filled


@given(entries, st.integers(0, 50), st.integers(1, 60))
def test_a_range_holds_exactly_its_minutes(
    events: list[tuple[int, str, int]], first: int, length: int
) -> None:
    """Walking the range and walking the table give the same entries."""
    found = table(events).entries(first * 60, (first + length) * 60)
    expected = sum(count for minute, _, count in events if first <= minute < first + length)
    assert sum(entry[1] for _, entry in found) == expected


@given(entries, st.integers(0, 20), st.integers(0, 60))
def test_pruning_forgets_the_oldest_and_loses_no_count(
    events: list[tuple[int, str, int]], max_minutes: int, max_entries: int
) -> None:
    """What is kept and what is forgotten add up; everything kept is younger."""
    pruned = table(events, max_minutes=max_minutes, max_entries=max_entries)
    forgotten = pruned.prune()
    kept = pruned.copy().take(1000)
    assert len(pruned) == len(kept) <= max_entries
    assert len({row.minute for row in kept}) <= max_minutes
    assert sum(row.count for row in [*forgotten, *kept]) == sum(count for *_, count in events)
    oldest = pruned.oldest_minute
    assert oldest is None or all(row.minute < oldest for row in forgotten)


def test_copies_are_independent() -> None:
    """What is added to one is not seen in the other."""
    original = table([(1, "a", 1)])
    twin = original.copy()
    twin.add(60, "a", [1.0, 1])
    assert [row.count for row in original.take(10)] == [1]
    assert [row.count for row in twin.take(10)] == [2]
