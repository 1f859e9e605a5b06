"""The ledger: everything is attributed once."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from slo.domain.counts import Counts
from slo.domain.ledger import Cause, Happening, ledger, responsible
from slo.domain.windows import Window

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = Window(NOON, NOON + 600 * MINUTE)


def at(minutes: float) -> datetime:
    return NOON + MINUTE * minutes


def test_an_incident_answers_before_a_deploy_that_overlaps_it() -> None:
    """Between deploy and incident the incident is what took the budget."""
    happenings = [
        Happening("d", Cause.DEPLOY, at(10)),
        Happening("i", Cause.INCIDENT, at(20), at(30)),
    ]
    assert responsible(happenings, WINDOW) == [
        (None, Window(at(0), at(10))),
        ("d", Window(at(10), at(20))),
        ("i", Window(at(20), at(30))),
        ("d", Window(at(30), at(70))),
        (None, Window(at(70), at(600))),
    ]


def test_of_two_incidents_the_graver_answers_and_then_the_earlier() -> None:
    """A small incident that nobody closed does not take what a great one cost."""
    happenings = [
        Happening("p3", Cause.INCIDENT, at(0), is_open=True, rank=3),
        Happening("later", Cause.INCIDENT, at(25), at(40), rank=0),
        Happening("burn", Cause.INCIDENT, at(0), at(600), is_consequence=True),
        Happening("p0", Cause.INCIDENT, at(20), at(30), rank=0),
    ]
    assert responsible(happenings, WINDOW) == [
        ("p3", Window(at(0), at(20))),
        ("p0", Window(at(20), at(30))),
        ("later", Window(at(30), at(40))),
        ("p3", Window(at(40), at(600))),
    ]


def test_what_is_open_goes_on_to_the_end() -> None:
    """An incident without an end still takes budget."""
    cut = responsible([Happening("i", Cause.INCIDENT, at(590), is_open=True)], WINDOW)
    assert cut[-1] == ("i", Window(at(590), at(600)))


def test_shares_are_of_the_allowed_bad_events() -> None:
    """30 bad events of 60 allowed are half of the budget."""
    cut = [(None, WINDOW), ("i", WINDOW)]
    found = ledger(cut, [Counts(90, 100), Counts(70, 100)], allowed=Fraction(60))
    assert [(e.key, e.counts.bad, e.share) for e in found] == [
        ("i", 30, Fraction(1, 2)),
        (None, 10, Fraction(1, 6)),
    ]


HAPPENINGS = st.lists(
    st.builds(
        Happening,
        key=st.uuids().map(str),
        cause=st.sampled_from(Cause),
        start=st.floats(-100, 700).map(at),
        rank=st.integers(0, 3),
        is_consequence=st.booleans(),
        end=st.none() | st.floats(0, 900).map(at),
        is_open=st.booleans(),
    ),
    max_size=12,
)


@given(HAPPENINGS)
def test_stretches_partition_the_window(happenings: list[Happening]) -> None:
    """Every minute of the window is in exactly one stretch, so sums are exact."""
    cut = responsible(happenings, WINDOW)
    assert cut[0][1].start == WINDOW.start
    assert cut[-1][1].end == WINDOW.end
    for (_, left), (_, right) in pairwise(cut):
        assert left.end == right.start
    counts = [Counts(part.minutes, part.minutes * 2, part.minutes) for _, part in cut]
    total = sum((entry.counts for entry in ledger(cut, counts, allowed=Fraction(1))), Counts())
    assert total == Counts(600, 1200, 600)
