"""What utilisation means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capacity.domain.verdict import LIMITS, Verdict, verdict

ORDER = [Verdict.HEALTHY, Verdict.DEGRADED, Verdict.CRITICAL]


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"cpu": 0.8, "memory": 0.85, "connections": 0.8, "p95_ms": 200.0}, Verdict.HEALTHY),
        ({"cpu": 0.81, "memory": 0.1}, Verdict.DEGRADED),
        ({"memory": 0.96, "cpu": 0.1}, Verdict.CRITICAL),
        ({"p95_ms": 2001.0}, Verdict.CRITICAL),
        ({"cpu": None}, Verdict.UNKNOWN),
        ({}, Verdict.UNKNOWN),
    ],
)
def test_limits_of_the_guide(figures: dict[str, float | None], expected: Verdict) -> None:
    """A figure at its limit is within it; the worst decides; nothing is not healthy."""
    assert verdict(figures) == expected


def test_what_could_not_be_read_is_not_healthy() -> None:
    """A known figure that is well does not vouch for one that nobody could read."""
    assert verdict({"cpu": 0.2, "memory": None}, unreadable=["memory"]) == Verdict.UNKNOWN
    assert verdict({"cpu": 0.9, "memory": None}, unreadable=["memory"]) == Verdict.DEGRADED


@given(st.sampled_from(sorted(LIMITS)), st.floats(0, 5000), st.floats(0, 5000))
def test_more_use_is_never_better(name: str, one: float, other: float) -> None:
    """The verdict is monotone in each figure."""
    low, high = sorted([one, other])
    assert ORDER.index(verdict({name: low})) <= ORDER.index(verdict({name: high}))
