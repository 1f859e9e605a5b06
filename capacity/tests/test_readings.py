"""CPU and memory alerts come from what AWS said of the last minutes."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction

import pytest
from moto import mock_aws

from capacity.services.reading import read_capacity
from capacity.services.readings import cpu, memory
from capacity.tests.cast import NOW, SLOT, on_ecs, reading, run_on_ecs
from catalog.models import Service
from incidents.models import Alert
from slo.services import rules

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

MINUTES = timedelta(minutes=1)


@pytest.fixture
def service() -> Service:
    """A service on ECS."""
    return on_ecs("web")


def value(service: Service, *, window: int = 5, end: datetime = SLOT) -> Fraction | None:
    """Return the CPU that a rule with such a window sees."""
    found = cpu([service], end - window * MINUTES, end)
    return found[service.pk].value if found else None


@pytest.fixture
def cloud() -> Iterator[None]:
    """Let boto3 talk to a simulated AWS."""
    with mock_aws():
        yield


def test_a_busy_service_opens_the_guides_alerts(cloud: None, service: Service) -> None:
    """Three calm hours that end in five minutes at 90 %: both warnings open, and end with it."""
    calm = [20.0] * 175
    run_on_ecs("web", cpu=calm + [90.0] * 5, memory=calm + [90.0] * 5)
    read_capacity(now=NOW)
    rules.evaluate(end=SLOT + MINUTES, now=NOW)
    firing = Alert.objects.firing().filter(source="rule")
    assert dict(firing.values_list("dedup_key", "severity")) == {
        "cpu:web": "P1",
        "memory:web": "P1",
    }
    reading(service, SLOT + 5 * MINUTES, cpu_recent=0.3, memory_recent=0.3)
    rules.evaluate(end=SLOT + 6 * MINUTES, now=NOW + 5 * MINUTES)
    assert not firing.exists()


def test_exactly_eighty_percent_is_exactly_that(service: Service) -> None:
    """A binary 0.8 is not a little above four fifths."""
    reading(service, cpu_recent=0.8, memory_recent=0.85)
    assert value(service) == Fraction(4, 5)
    assert memory([service], SLOT - MINUTES, SLOT)[service.pk].value == Fraction(17, 20)


def test_a_long_window_averages_its_readings(service: Service) -> None:
    """Ten minutes of 0.5 and 0.9 are 0.7; what is older than the window is left out."""
    for minutes, share in ((30, 0.1), (5, 0.5), (0, 0.9)):
        reading(service, SLOT - minutes * MINUTES, cpu_recent=share)
    assert value(service, window=10) == Fraction(7, 10)


def test_between_two_readings_the_last_one_holds(service: Service) -> None:
    """A reading counts until it is 15 minutes old; then nothing is known."""
    reading(service, cpu_recent=0.5)
    assert value(service, end=SLOT + 15 * MINUTES) == Fraction(1, 2)
    assert value(service, end=SLOT + 16 * MINUTES) is None


def test_a_reading_without_the_figure_is_no_data(service: Service) -> None:
    """What AWS did not tell is not zero, whatever the hours before were."""
    reading(service, cpu=0.9, cpu_recent=None)
    assert value(service) is None
