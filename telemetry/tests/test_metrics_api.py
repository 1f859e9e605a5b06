"""`GET /api/v1/services/<slug>/metrics/`: what a service's selectors can name."""

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from catalog.models import Service
from core import clock
from telemetry.services import otlp
from telemetry.services.compaction import compact
from telemetry.services.ingest import PORTAL
from telemetry.services.writers import forget_writers
from telemetry.tests.builders import make_service
from telemetry.tests.conftest import client_of
from telemetry.tests.otlp import counter, export, gauge, number

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/services/users-api/metrics/"


@pytest.fixture
def service() -> Service:
    """A service that sent a counter of two series and a gauge."""
    forget_writers()
    service = make_service()
    now = clock.now()
    start = now - timedelta(seconds=5)
    jobs = [
        number(2, at=now, start=start, attributes={"queue": queue, "host": "a"})
        for queue in ("x", "y")
    ]
    request = export(counter(*jobs), gauge(number(7, at=now, start=start)))
    otlp.store_metrics(request.SerializeToString(), now=now, sender=PORTAL)
    compact(now=now)
    return service


def test_metrics_are_listed_by_name(service: Service, alice: User) -> None:
    """With the keys of their attributes and how many series they have."""
    response = client_of(alice, "read").get(URL)
    assert response.status_code == 200
    assert response.json() == [
        {"name": "jobs.done", "kind": "counter", "series": 2, "attributes": ["host", "queue"]},
        {"name": "queue.length", "kind": "gauge", "series": 1, "attributes": []},
    ]


def test_strangers_learn_nothing(service: Service, alice: User) -> None:
    """401 without a token; a service of another team is missing."""
    assert Client().get(URL).status_code == 401
    assert client_of(alice, "ingest").get(URL).status_code == 403
    Service.objects.filter(pk=service.pk).update(is_private=True)
    assert client_of(alice, "read").get(URL).status_code == 404
    assert client_of(alice, "read").get(URL.replace("users-api", "nobody")).status_code == 404
