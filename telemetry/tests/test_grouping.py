"""Instants of a batch, read all at once."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from telemetry.domain.grouping import seconds_of
from telemetry.tests.builders import NOW

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda shift: timezone(timedelta(minutes=shift)))
ANY = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)
FINE = st.builds(
    lambda second, micro: NOW + timedelta(seconds=second, microseconds=micro),
    st.integers(-10_000, 10_000),
    st.integers(0, 999_999),
)


@given(st.lists(st.one_of(ANY, FINE, st.none(), st.floats(0, 4e9)), max_size=40))
def test_any_mixture_of_instants_is_read_to_the_second(
    stamps: list[datetime | float | None],
) -> None:
    """However it was written and in which zone, an instant lies in the second it lies in."""
    now = NOW.timestamp()
    expected = [
        now if at is None else at.timestamp() if isinstance(at, datetime) else at for at in stamps
    ]
    assert [at // 1 for at in seconds_of(stamps, now).tolist()] == [at // 1 for at in expected]


@given(st.lists(FINE, min_size=1, max_size=70))
def test_instants_with_a_fraction_are_read_to_the_second(stamps: list[datetime]) -> None:
    """The quick way, which most batches take, says what the slow one says."""
    seconds = seconds_of(stamps, NOW.timestamp()).tolist()
    assert [at // 1 for at in seconds] == [at.timestamp() // 1 for at in stamps]


def test_long_batches_are_read_alike() -> None:
    """Beyond 15 and beyond 65,535 elements the form has another beginning."""
    at = datetime(2026, 11, 23, 10, 5, 30, 250_000, tzinfo=UTC)
    for length in (15, 16, 65_535, 65_536):
        assert set(seconds_of([at] * length, 0).tolist()) == {at.timestamp() // 1}
