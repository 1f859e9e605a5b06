"""Uptime Kuma: notices about no heartbeat, and all that it says by HTTP method GET."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from incidents.models import Alert, InboundEvent, Incident
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def notice(words: str) -> dict[str, Any]:
    """Return a body as of the test button, or of what will expire."""
    return {"heartbeat": None, "monitor": None, "msg": words}


def test_a_certificate_that_will_expire_is_an_alert_of_low_urgency() -> None:
    _integration, key = integration_of("uptimekuma")
    path = f"/integrations/v1/uptimekuma/{key}/"
    words = "[web][https://x.example.org] server certificate x.example.org will expire in {} days"
    for days in (7, 3):
        assert post(path, notice(words.format(days))).json()["accepted"] == 1
    alert = Alert.objects.get()
    assert (alert.title, alert.severity, alert.count) == (words.format(3), "P3", 2)
    assert (alert.url, alert.labels) == ("https://x.example.org", {"monitor": "web"})
    assert post(path, notice("Domain name x.org will expire in 3 days")).json()["accepted"] == 1
    assert Incident.objects.count() == 2


@pytest.mark.parametrize("words", ["Portal Testing", " Testing", "", None])
def test_the_test_button_opens_nothing(words: Any) -> None:
    _integration, key = integration_of("uptimekuma")
    answer = post(f"/integrations/v1/uptimekuma/{key}/", notice(words)).json()
    assert (answer["status"], answer["accepted"]) == ("ok", 0)
    assert answer["remarks"][0].startswith("Test message")
    assert InboundEvent.objects.get().state == "parsed"
    assert not Alert.objects.exists()


def query(**changed: Any) -> str:
    """Return the query string that its webhook makes of what it says."""
    said = {**bodies.UPTIME_KUMA, **changed}
    pairs = {"msg": said["msg"]}
    pairs |= {name: json.dumps(said[name]) for name in ("heartbeat", "monitor") if said[name]}
    return urlencode(pairs)


def test_what_it_says_in_a_query_string_is_taken() -> None:
    integration, key = integration_of("uptimekuma")
    path = f"/integrations/v1/uptimekuma/{key}/"
    assert Client().get(f"{path}?{query()}").json()["accepted"] == 1
    alert = Alert.objects.get()
    assert (alert.title, alert.dedup_key, alert.state) == ("Shop is down", "monitor/3", "firing")
    event = InboundEvent.objects.get()
    assert bytes(event.body).decode() == query()
    assert key not in event.address + event.body_text
    up = {**bodies.UPTIME_KUMA["heartbeat"], "status": 1}
    assert Client().get(f"{path[:-1]}?{query(heartbeat=up)}").json()["accepted"] == 1
    alert.refresh_from_db()
    assert alert.state == "resolved"
    tested = Client().get(f"{path}?{query(heartbeat=None, monitor=None, msg='Portal Testing')}")
    assert (tested.status_code, tested.json()["accepted"]) == (200, 0)
    broken = Client().get(f"{path}?msg=x&heartbeat=%7B")
    assert broken.status_code == 400
    assert integration.events.filter(state="unparsed").count() == 1


def test_only_it_is_asked_by_get() -> None:
    _integration, key = integration_of("generic")
    _integration, own = integration_of("uptimekuma")
    for path in (
        f"/integrations/v1/generic/{key}/?title=x",
        f"/integrations/v1/uptimekuma/{own}/",
        f"/integrations/v1/nonsense/{key}/?title=x",
    ):
        refused = Client().get(path)
        assert (refused.status_code, refused["Allow"]) == (405, "POST")
    assert Client().head(f"/integrations/v1/uptimekuma/{own}/?{query()}").status_code == 405
    assert Client().get(f"/integrations/v1/uptimekuma/{key}/?{query()}").status_code == 404
    assert not InboundEvent.objects.exists()
