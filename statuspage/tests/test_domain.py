"""What the page says of components, and of days: worked examples and laws."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statuspage.domain.bars import Bar, Tone, percent_of, summary, tone_of
from statuspage.domain.maintenance_news import Lead, News, news_due
from statuspage.domain.statuses import (
    SEVERITY,
    Impact,
    Status,
    component_status,
    impact_of,
    overall,
    worst,
)

NOON = datetime(2026, 5, 3, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OK, MAINTAINED, DEGRADED, PARTIAL, MAJOR = Status
statuses = st.lists(st.sampled_from(Status))


@pytest.mark.parametrize(
    ("manual", "affected", "is_maintained", "said"),
    [
        (None, [], False, OK),
        (None, [], True, MAINTAINED),
        (None, [DEGRADED, MAJOR], True, MAJOR),
        (None, [OK], True, MAINTAINED),
        (OK, [MAJOR], True, OK),
        (PARTIAL, [], False, PARTIAL),
    ],
)
def test_a_component_is_what_was_set_else_the_worst_that_is_said(
    manual: Status | None, affected: list[Status], is_maintained: bool, said: Status
) -> None:
    """By hand before incidents, incidents before maintenance."""
    found = component_status(manual=manual, affected=affected, is_maintained=is_maintained)
    assert found is said


@pytest.mark.parametrize(
    ("components", "incidents", "indicator", "description"),
    [
        # Of nothing nobody knows that it works.
        ([], [], "none", "Nothing Is Listed Yet"),
        ([OK, OK], [], "none", "All Systems Operational"),
        ([OK, MAINTAINED], [], "none", "Service Under Maintenance"),
        ([OK, DEGRADED], [], "minor", "Partially Degraded Service"),
        ([DEGRADED], [], "minor", "Degraded System Service"),
        ([OK, PARTIAL], [], "minor", "Minor Service Outage"),
        ([PARTIAL], [], "major", "Partial System Outage"),
        ([OK, MAJOR], [], "major", "Partial System Outage"),
        ([MAJOR, MAJOR], [], "critical", "Major System Outage"),
        ([], [Impact.MAJOR], "major", "Partial System Outage"),
        ([OK], [Impact.MINOR, Impact.CRITICAL], "critical", "Major System Outage"),
        ([MAJOR], [Impact.MINOR], "critical", "Major System Outage"),
    ],
)
def test_the_page_in_one_line(
    components: list[Status], incidents: list[Impact], indicator: str, description: str
) -> None:
    """As Statuspage has it; an open incident is not hidden by components that say less."""
    assert overall(components, incidents) == (indicator, description)


@given(statuses, st.sampled_from(Status))
def test_one_more_trouble_makes_nothing_better(known: list[Status], more: Status) -> None:
    """The worst of more is never less bad."""
    assert SEVERITY[worst([*known, more])] >= SEVERITY[worst(known)]
    ranks = list(Impact)
    assert ranks.index(impact_of([*known, more])) >= ranks.index(impact_of(known))


@pytest.mark.parametrize(
    ("is_known", "burn", "tone"),
    [
        (False, None, Tone.NO_DATA),
        (False, Fraction(0), Tone.NO_DATA),
        (True, Fraction(1), Tone.MET),
        (True, Fraction(0), Tone.MET),
        (True, Fraction(11, 10), Tone.BELOW),
        (True, Fraction(10), Tone.FAR_BELOW),
    ],
)
def test_a_day_without_data_is_neither_good_nor_bad(
    is_known: bool, burn: Fraction | None, tone: Tone
) -> None:
    """The objective decides about all others."""
    assert tone_of(is_known=is_known, burn_rate=burn) is tone


def test_a_share_is_cut_and_never_rounded_up() -> None:
    """One bad of a million is not 100 %."""
    assert percent_of(Fraction(999_999, 1_000_000)) == "99.99 %"
    assert percent_of(Fraction(1)) == "100 %"
    assert percent_of(Fraction(1, 2000)) == "0.05 %"


def test_days_say_what_they_are_made_of() -> None:
    """Counts, and what was not measured."""
    day = Bar(date(2026, 5, 3), Tone.BELOW, 990, 1000, "events", Fraction(19, 20))
    little = Bar(date(2026, 5, 4), Tone.NO_DATA, 9, 9, "events", Fraction(1, 1440))
    none = Bar(date(2026, 5, 2), Tone.NO_DATA)
    assert day.said == "3 May 2026: 99.00 %, 990 of 1,000 events good, 95 % of the day measured"
    assert little.said == "4 May 2026: no data, less than 1 % of the day was measured"
    assert none.said == "2 May 2026: no data"
    assert summary([none, day, little]) == "99.00 % good over 1 day, 2 days without data"
    assert summary([none, none]) == "No data in the last 2 days"


@given(
    begins=st.integers(-100, 100), length=st.integers(1, 100), is_repeated=st.booleans(),
    reminder=st.integers(0, 48),
)  # fmt: skip
def test_news_come_in_their_order_and_once(
    begins: int, length: int, is_repeated: bool, reminder: int
) -> None:
    """Whenever somebody looks: no news twice, and none after the end."""
    start = NOON + begins * HOUR
    lead = Lead(repeated=24 * HOUR, reminder=reminder * HOUR)
    told: dict[News, datetime] = {}
    for step in range(-120, 240, 3):
        now = NOON + step * HOUR
        news = news_due(
            start, start + length * HOUR, is_repeated=is_repeated, told=told, lead=lead, now=now
        )
        if news:
            assert news not in told
            assert (news is News.STARTED) == (start <= now < start + length * HOUR)
            told[news] = now
    order = [News.SCHEDULED, News.REMINDER, News.STARTED, News.COMPLETED]
    assert list(told) == [news for news in order if news in told]
    assert News.COMPLETED in told
