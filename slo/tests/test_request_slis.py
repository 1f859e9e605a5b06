"""Rules count the requests they say they count."""

import pytest

from slo.domain.blocks import GAP, Slice
from slo.domain.request_slis import RequestRule, freshness_slice

BOUNDS = (100, 200, 500)


def good(rule: RequestRule, status: int, buckets: list[int]) -> int:
    return rule.good_of(status=status, count=sum(buckets), buckets=buckets, bounds_ms=BOUNDS)


def test_availability_counts_server_errors_only() -> None:
    """A 404 is an answer, a 503 is not."""
    rule = RequestRule(error_from=500)
    assert good(rule, 404, [3, 0, 0, 0]) == 3
    assert good(rule, 503, [3, 0, 0, 0]) == 0


def test_latency_counts_up_to_and_including_its_threshold() -> None:
    """Buckets up to the 200 ms bound are good, slower ones are not."""
    rule = RequestRule(threshold_ms=200)
    assert good(rule, 200, [5, 4, 2, 1]) == 9


def test_latency_threshold_off_the_bounds_is_refused() -> None:
    """No interpolation decides an SLI."""
    with pytest.raises(ValueError, match="250 ms is not one of the bounds"):
        good(RequestRule(threshold_ms=250), 200, [1, 0, 0, 0])


def test_excluded_statuses_and_other_endpoints_are_no_events() -> None:
    """What is excluded is in neither numerator nor denominator."""
    rule = RequestRule(endpoint="/pay", excluded=frozenset({429}))
    assert rule.counts("/pay", 200)
    assert not rule.counts("/pay", 429)
    assert not rule.counts("/other", 200)


def test_latency_of_successful_requests_leaves_errors_out() -> None:
    """A fast 503 neither helps nor hurts."""
    rule = RequestRule(threshold_ms=200, only_successful=True)
    assert not rule.counts("/pay", 503)
    assert rule.counts("/pay", 404)


@pytest.mark.parametrize(
    ("silent_for_s", "expected"),
    [(None, Slice(0, 0)), (600.0, Slice(0, 0)), (601.0, Slice(0, 1))],
)
def test_silence_is_bad_after_its_grace(silent_for_s: float | None, expected: Slice) -> None:
    """Data nobody reports on is not fresh; before the first report nothing is known."""
    slice_ = freshness_slice(
        threshold_s=60,
        bounds_s=(60, 300),
        buckets=[],
        silent_for_s=silent_for_s,
        grace_s=600,
    )
    assert slice_ == expected


def test_reports_younger_than_the_threshold_are_fresh() -> None:
    """Exactly a minute old still counts."""
    slice_ = freshness_slice(
        threshold_s=60, bounds_s=(60, 300), buckets=[3, 1, 1], silent_for_s=0, grace_s=600
    )
    assert slice_ == Slice(3, 5)


def test_slice_refuses_more_good_than_total() -> None:
    """An impossible count is an error, not a percentage above 100."""
    with pytest.raises(ValueError, match="good <= total"):
        Slice(2, 1)
    with pytest.raises(ValueError, match="gap has no events"):
        Slice(0, 1, measured=False)
    assert GAP.total == 0
