"""Laws of prefix sums, over random histories that rewrite minutes across hours and days."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from slo.domain.blocks import COUNTERS, DAY, HOUR, MINUTE, Block, Slice, start_of, with_slices
from slo.domain.prefixes import carry, probes, rewrite_hour

FIRST = datetime(2026, 3, 1, 22, 58, tzinfo=UTC)
TARGETS = {0: 99_000_000, 1: 50_000_000}
# Minutes around the borders of hours and of days.
OFFSETS = [0, 1, 2, 3, 61, 62, 63, 1441, 1502, 1503]
MINUTES = [FIRST + timedelta(minutes=offset) for offset in OFFSETS]
Minutes = dict[datetime, dict[int, Slice]]


@st.composite
def slices(draw: st.DrawFn) -> Slice:
    """Draw counts or a gap."""
    total = draw(st.integers(0, 1000))
    gap = total == 0 and draw(st.booleans())
    return Slice(draw(st.integers(0, total)), total, measured=not gap)


writes = st.dictionaries(
    st.sampled_from(MINUTES), st.dictionaries(st.integers(0, 2), slices(), min_size=1), min_size=1
)
histories = st.lists(writes, min_size=1, max_size=6)


class Rows:
    """Prefix rows in memory, kept by the pure code."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[datetime, Block]] = {MINUTE: {}, HOUR: {}, DAY: {}}

    def newest(self, size: int, low: datetime, high: datetime) -> Block:
        """Return the newest row in [low, high), zeros without one."""
        found = [start for start in self.rows[size] if low <= start < high]
        return self.rows[size][max(found)] if found else Block.empty(0)

    def from_(self, size: int, first: datetime, end: datetime) -> dict[datetime, Block]:
        """Return the rows in [first, end)."""
        return {at: row for at, row in self.rows[size].items() if first <= at < end}

    def write(self, minutes: Minutes) -> None:
        """Overwrite minutes and carry the differences into hours and days."""
        deltas: dict[datetime, Block] = {}
        for hour in {start_of(HOUR, at) for at in minutes}:
            own = {at: minutes[at] for at in minutes if start_of(HOUR, at) == hour}
            rows = self.from_(MINUTE, min(own), hour + timedelta(hours=1))
            found = rewrite_hour(self.newest(MINUTE, hour, min(own)), rows, own, TARGETS)
            self.rows[MINUTE].update(found.rows)
            deltas[hour] = found.delta
        days: dict[datetime, Block] = {}
        for day in {start_of(DAY, hour) for hour in deltas}:
            inner = {at: deltas[at] for at in deltas if start_of(DAY, at) == day}
            rows = self.from_(HOUR, min(inner), day + timedelta(days=1))
            found = carry(self.newest(HOUR, day, min(inner)), rows, inner)
            self.rows[HOUR].update(found.rows)
            days[day] = found.delta
        rows = self.from_(DAY, min(days), datetime.max.replace(tzinfo=UTC))
        base = self.newest(DAY, datetime.min.replace(tzinfo=UTC), min(days))
        self.rows[DAY].update(carry(base, rows, days).rows)

    def before(self, instant: datetime) -> list[list[int]]:
        """Return what was counted before `instant`."""
        found = Block.empty(3)
        for probe in probes(instant):
            found = found.plus(self.newest(*probe))
        return [[int(count) for count in row] for row in found.counters]


def replayed(history: list[Minutes]) -> Rows:
    """Return the rows after all writes."""
    rows = Rows()
    for minutes in history:
        rows.write(minutes)
    return rows


def naive(history: list[Minutes], instant: datetime) -> list[list[int]]:
    """Add up the last write of every minute and slot, one by one."""
    last = {
        (at, slot): s for write in history for at, own in write.items() for slot, s in own.items()
    }
    sums = [[0, 0, 0] for _ in range(COUNTERS)]
    for (at, slot), s in last.items():
        if at < instant:
            met = s.total > 0 and s.good * 10**8 >= TARGETS.get(slot, 10**8) * s.total
            share = s.good * 10**6 // s.total if s.total else 0
            own = [s.good, s.total, int(s.measured), 1, int(s.total > 0), int(met), share]
            for counter, value in enumerate(own):
                sums[counter][slot] += value
    return sums


@settings(max_examples=40)
@given(histories, st.integers(0, 3000))
def test_prefix_sums_are_naive_sums(history: list[Minutes], offset: int) -> None:
    """Whatever is written late or again, what was counted before an instant is the plain sum."""
    rows = replayed(history)
    for instant in [FIRST + timedelta(minutes=offset), *MINUTES]:
        assert rows.before(instant) == naive(history, instant)


@settings(max_examples=40)
@given(writes, st.randoms(use_true_random=False))
def test_the_order_of_writes_does_not_matter(minutes: Minutes, random: Random) -> None:
    """Different minutes written one by one in any order count as written at once."""
    single = [{at: own} for at, own in minutes.items()]
    random.shuffle(single)
    apart, together = replayed(single), replayed([minutes])
    end = FIRST + timedelta(days=3)
    for instant in [*MINUTES, end]:
        assert apart.before(instant) == together.before(instant)


@given(st.dictionaries(st.integers(0, 2), slices()), st.dictionaries(st.integers(0, 2), slices()))
def test_merged_blocks_are_their_sum(one: dict[int, Slice], other: dict[int, Slice]) -> None:
    """Merging is adding: it commutes, and taking one away leaves the other."""
    a, b = (with_slices(Block.empty(3), own, TARGETS) for own in (one, other))
    assert (a.plus(b).counters == b.plus(a).counters).all()
    assert (a.plus(b).minus(b).counters == a.counters).all()
