"""What the SDK's tests share."""

import pytest

from sre import slo_sli


@pytest.fixture
def sli_calculator(monkeypatch: pytest.MonkeyPatch) -> slo_sli.SliCalculator:
    """Return the module's own calculator as a fresh process has it: without requests."""
    fresh = slo_sli.SliCalculator()
    monkeypatch.setattr(slo_sli, "sli_calculator", fresh)
    return fresh
