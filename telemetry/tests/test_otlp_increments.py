"""Laws of counting up: whatever is sent when, what was added is what grew."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from telemetry.domain.otlp.increments import NS, WriterState, from_cumulative
from telemetry.domain.otlp.points import Block, Family, Points, decode, encode

START = 1_000_000 * NS
GROWTH = st.lists(
    st.tuples(st.integers(1, 90), st.lists(st.integers(0, 50), min_size=3, max_size=3)),
    min_size=1,
    max_size=12,
)


def points(rows: list[tuple[int, list[int]]], *, stream: int = 0, start: int = START) -> Points:
    """Return a stream's points from (time, values) rows."""
    count = len(rows)
    return Points(
        np.full(count, stream, np.int64),
        np.full(count, start, np.int64),
        np.array([at for at, _ in rows], np.int64),
        np.array([values for _, values in rows], np.int64).reshape(count, -1),
        np.array([float(sum(values)) for _, values in rows]),
    )


def cumulative(growth: list[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
    """Return the values a stream shows that grows so much after so many seconds each."""
    at, shown, rows = START, [0, 0, 0], []
    for seconds, added in growth:
        at += seconds * NS
        shown = [before + more for before, more in zip(shown, added, strict=True)]
        rows.append((at, shown))
    return rows


@given(GROWTH, st.randoms(use_true_random=False), st.integers(1, 4))
def test_what_was_added_is_what_grew(growth, dice, parts: int) -> None:
    """However exports are grouped, doubled and mixed within one merge: the sum is the last value."""
    rows = cumulative(growth)
    state = WriterState(0, {})
    added = np.zeros(3, np.int64)
    size = max(1, len(rows) // parts)
    for begin in range(0, len(rows), size):
        together = rows[begin : begin + size] * 2
        dice.shuffle(together)
        state = WriterState.unpack(state.pack())
        added += from_cumulative("g", [(state, points(together))]).values.sum(axis=0)
    assert added.tolist() == rows[-1][1]


@given(GROWTH)
def test_each_interval_adds_its_own_growth(growth: list[tuple[int, list[int]]]) -> None:
    """In order of time, with the interval's begin at the value before."""
    rows = cumulative(growth)
    found = from_cumulative("g", [(WriterState(0, {}), points(rows))])
    assert found.values.tolist() == [added for _, added in growth]
    times = [START, *(at for at, _ in rows)]
    assert list(zip(found.since.tolist(), found.times.tolist(), strict=True)) == list(
        pairwise(times)
    )
    assert found.is_counted.all()


@given(GROWTH, GROWTH)
def test_resets_lose_nothing(
    first: list[tuple[int, list[int]]], second: list[tuple[int, list[int]]]
) -> None:
    """A process that begins anew at its own start adds all that it shows."""
    before = cumulative(first)
    restart = before[-1][0] + NS
    after = [(at - START + restart, shown) for at, shown in cumulative(second)]
    state = WriterState(0, {})
    added = from_cumulative("g", [(state, points(before))]).values.sum(axis=0)
    added = added + from_cumulative("g", [(state, points(after, start=restart))]).values.sum(axis=0)
    assert added.tolist() == [a + b for a, b in zip(before[-1][1], after[-1][1], strict=True)]


@given(GROWTH)
def test_a_widening_exponential_histogram_keeps_its_total(
    growth: list[tuple[int, list[int]]],
) -> None:
    """Buckets that move to slower bounds take nothing away and add nothing."""
    rows = cumulative(growth)
    rows = [
        (at, shown if index % 2 else [0, 0, sum(shown)]) for index, (at, shown) in enumerate(rows)
    ]
    found = from_cumulative("g", [(WriterState(0, {}), points(rows))], is_folded=True)
    assert (found.values >= 0).all()
    assert int(found.values.sum()) == sum(rows[-1][1])


@given(st.lists(st.lists(GROWTH, min_size=1, max_size=3), min_size=2, max_size=4), st.booleans())
def test_writers_counted_together_add_what_each_adds_alone(growths, is_folded: bool) -> None:
    """Several writers with streams of the same numbers, from nothing and from what was remembered."""
    shown = [
        [points(cumulative(growth), stream=stream) for stream, growth in enumerate(streams)]
        for streams in growths
    ]
    early = [Points.joined([part.take(slice(None, 1)) for part in parts]) for parts in shown]
    late = [Points.joined([part.take(slice(1, None)) for part in parts]) for parts in shown]
    alone, together = ([WriterState(0, {}) for _ in growths] for _ in range(2))
    for sent in (early, late, late):
        if not all(len(part) for part in sent):
            continue
        found = from_cumulative("g", list(zip(together, sent, strict=True)), is_folded=is_folded)
        for position, (state, part) in enumerate(zip(alone, sent, strict=True)):
            own = from_cumulative("g", [(state, part)], is_folded=is_folded)
            mine = found.writers == position
            assert (found.keys[mine] - (position << 32)).tolist() == own.keys.tolist()
            for name in ("since", "times", "values", "sums", "is_counted"):
                assert (getattr(found, name)[mine] == getattr(own, name)).all()
            assert {minute for writer, minute in found.covered() if writer == position} == {
                minute for _, minute in own.covered()
            }
    assert [state.pack() for state in together] == [state.pack() for state in alone]


@given(GROWTH)
def test_blocks_survive_packing(growth: list[tuple[int, list[int]]]) -> None:
    """What the log keeps is what came."""
    block = Block(7, Family.REQUESTS, False, True, (100.0, 200.0), points(cumulative(growth)))
    (found,) = decode(encode([block]))
    assert (found.writer_id, found.kind) == (block.writer_id, block.kind)
    for name in ("streams", "starts", "times", "values", "sums"):
        assert (getattr(found.points, name) == getattr(block.points, name)).all()
