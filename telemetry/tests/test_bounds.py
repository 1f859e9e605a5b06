"""A service's own latency bounds."""

import pytest

from accounts.models import User
from core.errors import InvalidInput
from telemetry import queries
from telemetry.services import bounds
from telemetry.tests.builders import NOW, make_service

pytestmark = pytest.mark.django_db


def test_own_bounds_come_besides_the_default_ones(alice: User) -> None:
    """A threshold of 120 ms is exact from now on, and those there were stay."""
    service = make_service()
    bounds.set_own_bounds(service.pk, [120, 200], now=NOW, actor=alice)
    counted_over = queries.bounds_ms(service.pk)
    assert 120 in counted_over
    assert len(counted_over) == len(queries.bounds_ms(None)) + 1


def test_impossible_bounds_are_refused_by_name(alice: User) -> None:
    """Nothing is changed by a refusal."""
    service = make_service()
    with pytest.raises(InvalidInput) as refused:
        bounds.set_own_bounds(service.pk, [0], now=NOW, actor=alice)
    assert list(refused.value.fields) == ["own_bounds_ms"]
    assert 0 not in queries.bounds_ms(service.pk)
