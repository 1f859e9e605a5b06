"""What the worker's sign of life clears away."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from core.clock import now
from core.models import ProcessHeartbeat
from core.tasks import FORGET_INSTANCES_AFTER, worker_heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_what_is_over_goes_and_what_holds_stays() -> None:
    for key, minutes in (("over", -1), ("open", 1)):
        Session.objects.create(session_key=key, expire_date=now() + timedelta(minutes=minutes))
    for instance, age in (("gone", 2 * FORGET_INSTANCES_AFTER), ("here", timedelta())):
        at = now() - age
        ProcessHeartbeat.objects.create(
            process="web", instance=instance, started_at=at, at=at, monotonic=0
        )
    worker_heartbeat()
    assert list(Session.objects.values_list("pk", flat=True)) == ["open"]
    alive = ProcessHeartbeat.objects.values_list("process", flat=True)
    assert sorted(alive) == ["web", "worker"]
