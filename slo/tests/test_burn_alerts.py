"""Burn-rate alerts agree with the Workbook and hold still on little traffic."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from slo.domain.burn_alerts import Tier, holds, is_significant, tiers_for
from slo.domain.counts import Counts, Judged

THREE_NINES = Decimal("0.999")


def thresholds(days: int, objective: Decimal = THREE_NINES) -> list[Fraction]:
    return [tier.threshold for tier in tiers_for(objective, timedelta(days=days))]


def test_factors_are_those_of_the_workbook() -> None:
    """30 d: 14.4, 6, 3, 1; 90 d: 43.2, 18, 9, 3; 28 d and 7 d with what is lifted to 1."""
    assert thresholds(30) == [Fraction("14.4"), 6, 3, 1]
    assert thresholds(90) == [Fraction("43.2"), 18, 9, 3]
    assert thresholds(28) == [Fraction("13.44"), Fraction("5.6"), Fraction("2.8"), 1]
    assert thresholds(7) == [Fraction("3.36"), Fraction("1.4"), 1, 1]


def test_lifted_tiers_say_why() -> None:
    """A threshold of 0.933 would alert while the objective is met."""
    tier = tiers_for(THREE_NINES, timedelta(days=28))[3]
    assert tier.note.startswith("lifted from 0.933")
    assert tier.enabled


def test_unreachable_threshold_is_off() -> None:
    """At 90 % no outage burns 14.4 times too fast: ten times is the most there is."""
    fast = tiers_for(Decimal("0.9"), timedelta(days=30))[0]
    assert not fast.enabled
    assert "no outage" in fast.note


def test_short_window_is_a_twelfth_of_the_long_one() -> None:
    """1 h has 5 min, 6 h 30 min, 1 d 2 h, 3 d 6 h."""
    shorts = [tier.short for tier in tiers_for(THREE_NINES, timedelta(days=30))]
    assert shorts == [
        timedelta(minutes=5),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(hours=6),
    ]


def fast_tier() -> Tier:
    return tiers_for(THREE_NINES, timedelta(days=30))[0]


def judged(bad: int, total: int) -> list[Judged]:
    return [Judged(THREE_NINES, Counts(total - bad, total))]


def test_tie_decides_for_the_alert() -> None:
    """1,440 of 100,000 burn exactly 14.4 times too fast, which is enough for the threshold."""
    tie = judged(144_000, 10_000_000)
    below = judged(143_999, 10_000_000)
    assert not holds(fast_tier(), long=below, short=tie)
    assert not holds(fast_tier(), long=tie, short=below)
    significant = judged(150_000, 10_000_000)
    assert holds(fast_tier(), long=significant, short=tie)


def test_complete_outage_fires_after_51_84_seconds() -> None:
    """One request a second: the 52nd bad second of the hour reaches 14.4 × 0.1 %."""
    assert not holds(fast_tier(), long=judged(51, 3600), short=judged(51, 300))
    over = judged(70, 3600)
    assert holds(fast_tier(), long=over, short=judged(70, 300))


@pytest.mark.parametrize(("bad", "page"), [(1, False), (2, True)])
def test_three_requests_at_night_page_nobody(bad: int, page: bool) -> None:
    """One failure of ten is chance (13.5 %); two are not (0.9 %)."""
    assert holds(fast_tier(), long=judged(bad, 10), short=judged(bad, 10)) is page


def test_binomial_gate_agrees_with_the_published_probabilities() -> None:
    """P(≥ 1 of 10) = 13.5 %, P(≥ 2 of 10) = 0.9 % at a true share of 1.44 %."""
    share = Fraction("0.0144")
    assert not is_significant(bad=1, total=10, bad_ratio=share)
    assert is_significant(bad=2, total=10, bad_ratio=share)
    assert not is_significant(bad=0, total=0, bad_ratio=share)


def test_binomial_gate_copes_with_millions_of_events() -> None:
    """The tail neither overflows nor underflows, and knows the mean from an excess."""
    share = Fraction("0.0144")
    assert not is_significant(bad=144_000, total=10_000_000, bad_ratio=share)
    assert is_significant(bad=146_000, total=10_000_000, bad_ratio=share)


def test_minimum_events_hold_the_alert() -> None:
    """Below the SLO's minimum nothing is decided."""
    data = judged(9, 9)
    assert not holds(fast_tier(), long=data, short=data, minimum_events=10)
    assert holds(fast_tier(), long=data, short=data, minimum_events=9)


def test_no_events_never_hold() -> None:
    """A window without events is no data."""
    assert not holds(fast_tier(), long=judged(0, 0), short=judged(0, 0))
