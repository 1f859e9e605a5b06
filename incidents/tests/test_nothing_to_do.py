"""What is understood and alerts nobody waits in no inbox; its sender is told so."""

from typing import Any

import pytest

from incidents.models import Alert, InboundEvent
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def kuma(status: int) -> dict[str, Any]:
    """Return a heartbeat of a status."""
    return {
        **bodies.UPTIME_KUMA,
        "heartbeat": {**bodies.UPTIME_KUMA["heartbeat"], "status": status},
    }


@pytest.mark.parametrize(
    ("kind", "body", "resource", "said"),
    [
        ("uptimekuma", kuma(2), "", "Shop is pending."),
        ("uptimekuma", kuma(3), "", "Shop is maintenance."),
        ("sentry", {"action": "created", "data": {}}, "comment",
         "A hook about comment alerts nobody."),
        ("sentry", {"action": "created", "data": {}}, "installation",
         "A hook about installation alerts nobody."),
        ("sentry", {"action": "bookmarked", "data": {"issue": {"id": "1"}}}, "issue",
         "A hook about an issue that is bookmarked alerts nobody."),
        ("sentry", {**bodies.SENTRY_METRIC, "action": "muted"}, "metric_alert",
         "A hook about a metric alert that is muted alerts nobody."),
    ],
)  # fmt: skip
def test_it_is_understood_and_answered(
    kind: str, body: dict[str, Any], resource: str, said: str
) -> None:
    _integration, key = integration_of(kind)
    headers = {"Sentry-Hook-Resource": resource} if resource else {}
    answer = post(f"/integrations/v1/{kind}/{key}/", body, **headers)
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["remarks"]) == (0, [said])
    event = InboundEvent.objects.get()
    assert (event.state, event.problem, event.alerts) == ("parsed", "", 0)
    assert not Alert.objects.exists()


@pytest.mark.parametrize("resource", ["issue", "metric_alert", "deploy"])
def test_a_hook_that_says_nothing_is_not_understood(resource: str) -> None:
    _integration, key = integration_of("sentry")
    headers = {"Sentry-Hook-Resource": resource}
    assert post(f"/integrations/v1/sentry/{key}/", {"data": {}}, **headers).status_code == 400
    assert InboundEvent.objects.get().state == "unparsed"


def test_alerts_that_were_left_out_leave_the_rest_understood() -> None:
    """Whoever opens the incident reads that there are more."""
    _integration, key = integration_of("alertmanager")
    body = {**bodies.ALERTMANAGER, "truncatedAlerts": 3}
    answer = post(f"/integrations/v1/alertmanager/{key}/", body).json()
    assert (answer["accepted"], len(answer["remarks"])) == (1, 1)
    assert InboundEvent.objects.get().state == "parsed"
    assert "left out 3 more alerts" in Alert.objects.get().detail
