"""Requests are forgotten after their time; what they did, and what nobody has looked at, is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Alert, AlertLogEntry, InboundEvent, Incident
from incidents.queries.verification import check_invariants
from incidents.services import retention
from incidents.services.receiving import settle
from incidents.tasks import forget_requests
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def ten_days(settings: Any) -> None:
    settings.INTAKE_RETENTION = 10 * DAY


def sent(age: timedelta, body: object) -> InboundEvent:
    """Send something to an integration of PagerDuty's, so long ago."""
    post("/v2/enqueue", body)
    event = InboundEvent.objects.latest("pk")
    event.received_at = NOW - age
    event.save()
    return event


def alert(key: str, number: int, action: str = "trigger") -> dict[str, Any]:
    said = {"routing_key": key, "dedup_key": f"disk-{number}", "event_action": action}
    return {**bodies.PAGERDUTY, **said}


def left() -> list[int]:
    return list(InboundEvent.objects.order_by("pk").values_list("pk", flat=True))


def test_a_request_goes_when_its_time_is_over_and_what_it_did_stays() -> None:
    _, key = integration_of("pagerduty")
    old = sent(10 * DAY + timedelta(seconds=1), alert(key, 1))
    end = sent(10 * DAY, alert(key, 1, "resolve"))
    assert retention.forget_requests(now=NOW) == 1
    assert left() == [end.pk]
    incident = Incident.objects.get()
    assert (Alert.objects.get().state, incident.status) == ("resolved", "resolved")
    opened, resolved = AlertLogEntry.objects.order_by("pk")
    assert (opened.kind, opened.event, resolved.event) == ("opened", None, end)
    assert old.pk not in left()
    assert incident.timeline.exists()
    assert all(invariant.holds for invariant in check_invariants(now=NOW))


def test_what_nobody_has_looked_at_waits_however_old_it_is() -> None:
    _, key = integration_of("pagerduty")
    unread = sent(400 * DAY, {"routing_key": key, "event_action": "trigger"})
    assert unread.state == InboundEvent.State.UNPARSED
    old = sent(399 * DAY, alert(key, 1))
    assert retention.forget_requests(now=NOW) == 1
    assert left() == [unread.pk]
    settle(unread, actor="alice", now=NOW)
    assert retention.forget_requests(now=NOW) == 1
    assert left() == []
    assert old.pk > unread.pk


def test_all_that_is_old_goes_in_chunks_and_nothing_else_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 3)
    _, key = integration_of("pagerduty")
    ages = [20, 19, 18, 17, 16, 15, 14, 9, 8, 7, 6]
    events = [sent(age * DAY, alert(key, age)) for age in ages]
    with CaptureQueriesContext(connection) as queries:
        assert retention.forget_requests(now=NOW) == 7
    assert left() == [event.pk for event in events[7:]]
    assert all('"body"' not in query["sql"] for query in queries)
    with CaptureQueriesContext(connection) as queries:
        assert retention.forget_requests(now=NOW) == 0
    assert len(queries) == 1
    assert AlertLogEntry.objects.count() == len(ages)


def test_the_tick_forgets() -> None:
    _, key = integration_of("pagerduty")
    sent(timedelta(), alert(key, 1))
    InboundEvent.objects.update(received_at=datetime(2020, 1, 1, tzinfo=UTC))
    forget_requests()
    assert left() == []
