"""What the admin changes of alerting does what the services do."""

from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from core import clock
from core.models import AuditEntry
from incidents.domain.heartbeats import Sign
from incidents.models import Alert, Heartbeat, ResponseTarget
from incidents.services import heartbeats
from incidents.services.acts import Acts
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HEARTBEATS, TARGETS = "/admin/incidents/heartbeat/", "/admin/incidents/responsetarget/"


@pytest.fixture
def admin() -> Client:
    return signed_in(Role.ADMIN)


@pytest.fixture
def failed() -> Heartbeat:
    """A heartbeat that alerts."""
    integration, _ = integration_of("healthchecks")
    heartbeat = heartbeats.named(integration, "backup")
    acts = Acts()
    heartbeats.ping(heartbeat, Sign.FAIL, acts, now=clock.now())
    acts.record(now=clock.now())
    assert Alert.objects.get().state == "firing"
    return heartbeat


@pytest.mark.parametrize("way", ["own page", "list"])
def test_a_deleted_heartbeat_alerts_no_more(admin: Client, failed: Heartbeat, way: str) -> None:
    chosen = {"action": "delete_selected", "_selected_action": [failed.pk], "post": "yes"}
    if way == "list":
        answer = admin.post(HEARTBEATS, chosen)
    else:
        answer = admin.post(f"{HEARTBEATS}{failed.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not Heartbeat.objects.exists()
    assert Alert.objects.get().state == "resolved"
    entry = AuditEntry.objects.get(act="heartbeat.deleted")
    assert entry.subject == f"incidents.heartbeat:{failed.pk}"


def target(**values: str) -> dict[str, Any]:
    spans = {"respond_within": "00:15:00", "resolve_within": "04:00:00", "update_every": "01:00:00"}
    return {"severity": "P1", **spans, **values}


@pytest.mark.parametrize("name", ["respond_within", "resolve_within", "update_every"])
@pytest.mark.parametrize(
    "span", ["0", "-1 00:00:00", "00:00:59", "90 00:00:01", "999999999 00:00:00"]
)
def test_targets_lie_within_a_minute_and_ninety_days(admin: Client, name: str, span: str) -> None:
    answer = admin.post(f"{TARGETS}add/", target(**{name: span}))
    assert answer.status_code == 200
    assert "From 1 minute to 90 days" in str(answer.context["adminform"].form.errors[name])
    assert not ResponseTarget.objects.exists()


def test_targets_that_can_be_kept_are_saved(admin: Client) -> None:
    spans = {"respond_within": "00:01:00", "resolve_within": "90 00:00:00", "update_every": "60"}
    assert admin.post(f"{TARGETS}add/", target(**spans)).status_code == 302
    assert ResponseTarget.objects.get().severity == "P1"
