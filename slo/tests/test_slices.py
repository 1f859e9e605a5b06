"""Packed slices say exactly what a brute-force count says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Service
from slo.domain.blocks import (
    ACTIVE,
    GAP,
    GOOD,
    MET,
    MILLIONTHS,
    RATED,
    TOTAL,
    UNITS,
    Block,
    Slice,
    SpentPicker,
    with_slices,
)
from slo.domain.counts import Counts
from slo.domain.windows import Window
from slo.models import Sli, SliceBlock
from slo.queries import SliceReader, counts_of, gaps
from slo.services import slices

MIDNIGHT = datetime(2026, 5, 3, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TARGETS = dict.fromkeys(range(10), UNITS * 99 // 100)
OFFSETS = st.integers(-3000, 3000)
SLICES = st.one_of(
    st.just(GAP),
    st.integers(0, 50).flatmap(
        lambda total: st.builds(Slice, st.integers(0, total), st.just(total))
    ),
)


def at(minutes: int) -> datetime:
    return MIDNIGHT + MINUTE * minutes


def summed(slot: int, window: Window) -> Counts:
    return counts_of(SliceReader().sums([window])[0], slot)


@given(st.dictionaries(st.integers(0, 9), SLICES, max_size=5))
def test_blocks_survive_packing(values: dict[int, Slice]) -> None:
    """What is packed comes back, and writing twice changes nothing."""
    block = with_slices(Block.empty(0), values, TARGETS)
    again = with_slices(Block.unpack(block.pack()), values, TARGETS)
    assert again.minus(block).is_zero()
    for slot, value in values.items():
        assert counts_of(again, slot) == Counts(value.good, value.total, int(value.measured))


@given(
    st.dictionaries(st.integers(0, 900), SLICES, max_size=40),
    st.lists(st.integers(0, 1000), max_size=20),
    st.sampled_from([(GOOD, TOTAL, 1), (MET, ACTIVE, 1), (RATED, ACTIVE, MILLIONTHS)]),
)
def test_single_slots_are_picked_without_unpacking(
    values: dict[int, Slice], slots: list[int], columns: tuple[int, int, int]
) -> None:
    """What is picked is what the unpacked block says; beyond its end nothing was counted."""
    block = with_slices(Block.empty(0), values, dict.fromkeys(values, UNITS * 99 // 100))
    good, total, unit = columns
    places = np.array(slots, dtype=np.int64)
    picker = SpentPicker(np.full_like(places, good), np.full_like(places, total), places)
    bad, every = picker.pick(block.pack())
    wide = block.widened(1001).counters
    assert every.tolist() == wide[total, places].tolist()
    assert bad.tolist() == (wide[total, places] * unit - wide[good, places]).tolist()


@pytest.mark.django_db
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(OFFSETS, st.integers(0, 2), SLICES), max_size=30),
    st.lists(st.tuples(OFFSETS, st.integers(1, 4000)), min_size=1, max_size=3),
)
def test_windows_equal_brute_force(
    writes: list[tuple[int, int, Slice]], windows: list[tuple[int, int]]
) -> None:
    """Whatever is written, late and overwritten, a window is the sum of its last-written minutes."""
    SliceBlock.objects.all().delete()
    truth: dict[tuple[int, int], Slice] = {}
    for offset, slot, value in writes:
        slices.write({at(offset): {slot: value}})
        truth[offset, slot] = value
    for start, length in windows:
        for slot in range(3):
            found = summed(slot, Window(at(start), at(start + length)))
            inside = [
                value
                for (offset, column), value in truth.items()
                if column == slot and start <= offset < start + length
            ]
            assert found == Counts(
                sum(value.good for value in inside),
                sum(value.total for value in inside),
                sum(value.measured for value in inside),
            )


@pytest.mark.django_db
def test_writing_the_same_minute_again_reports_no_change() -> None:
    """A doubled tick leaves every block as it was."""
    values = {at(0): {0: Slice(3, 4)}, at(1): {0: GAP}}
    assert slices.write(values) == 2
    before = list(SliceBlock.objects.order_by("pk").values_list("data", flat=True))
    assert slices.write(values) == 0
    assert list(SliceBlock.objects.order_by("pk").values_list("data", flat=True)) == before


@pytest.mark.django_db
def test_first_measured_minute_is_remembered() -> None:
    """Coverage is asked from the first data on; a gap is none, older data moves it back."""
    service = Service.objects.create(slug="pay", name="Pay")
    sli = Sli.objects.create(slug="pay", service=service, kind="availability", slot=0)
    for offset, value, expected in (
        (0, GAP, None),
        (5, Slice(1, 1), 5),
        (9, Slice(1, 1), 5),
        (-7, Slice(0, 0), -7),
    ):
        slices.write({at(offset): {0: value}})
        sli.refresh_from_db()
        assert sli.data_since == (None if expected is None else at(expected))


@pytest.mark.django_db
def test_gaps_are_stretches_without_measurement() -> None:
    """Minutes that were not measured, or never looked at, are gaps; empty minutes are not."""
    slices.write({at(0): {0: Slice(1, 1)}, at(1): {0: GAP}, at(3): {0: Slice(0, 0)}})
    found = gaps(SliceReader(), 0, Window(at(0), at(5)))
    assert found == [Window(at(1), at(3)), Window(at(4), at(5))]


@pytest.mark.django_db
def test_reading_costs_one_query_for_any_windows(django_assert_max_num_queries: Any) -> None:
    """Windows of a day to 90 days are read together."""
    slices.write({at(0): {0: Slice(1, 1)}})
    windows = [
        Window(at(7) - timedelta(days=days, minutes=days), at(7)) for days in (1, 2, 3, 30, 90)
    ]
    with django_assert_max_num_queries(1):
        found = SliceReader().sums(windows)
    assert [counts_of(block, 0).total for block in found] == [1] * 5
