"""What an application's middleware has counted."""

import pytest

from sre.slo_sli import SliCalculator


@pytest.fixture
def sli() -> SliCalculator:
    """An empty calculator."""
    return SliCalculator()


def counted(sli: SliCalculator) -> list[tuple[str, str, int]]:
    """Return endpoint, method and status of each request counted."""
    return [row.key for row in sli.drain().requests for _ in range(row.count)]
