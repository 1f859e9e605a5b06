"""Rows that travel as one document arrive as they were, on both databases."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.utils.safestring import SafeString

from core import bulk
from core.inserts import Inserts
from incidents.models import Alert, InboundEvent, Severity
from incidents.tests.senders import integration_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
FAR = timezone(timedelta(hours=-7))
AT = datetime(2026, 5, 3, 12, 0, 0, 123456, tzinfo=UTC)


def alert(**columns: Any) -> dict[str, Any]:
    """Return the columns of an alert."""
    return {
        "source": "test", "dedup_key": "k", "severity": "P1", "title": "t", "detail": "", "url": "",
        "runbook_url": "", "labels": {}, "group_key": "", "pages": True, "facts": {},
        "state": "firing", "count": 1, "opened_at": AT, "last_seen_at": AT, "resolved_at": None,
        "acknowledged_at": None, "acknowledged_by": "", "sender_at": None, "incident_id": None,
        "silenced_by_id": None, "integration_id": None, "service_id": None,
        **columns,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "é 😀 \u2028 \\ \" ' % $1 \\x41", "\x7f\t\n", SafeString("<b>"), Severity.P1]
)
def test_texts_arrive(text: str) -> None:
    bulk.insert_rows(Alert, [alert(title=text, facts={"a": [text, {text: text}]})])
    stored = Alert.objects.get()
    assert (stored.title, stored.facts) == (text, {"a": [text, {text: text}]})


@pytest.mark.parametrize(
    "at", [AT, AT.astimezone(FAR), AT.replace(microsecond=0), AT.replace(year=1)]
)
def test_instants_arrive(at: datetime) -> None:
    bulk.insert_rows(Alert, [alert(opened_at=at)])
    assert Alert.objects.get().opened_at == at
    bulk.update_rows(Alert, [{"id": Alert.objects.get().pk, "acknowledged_at": at}])
    assert Alert.objects.get().acknowledged_at == at


@pytest.mark.parametrize("number", [0, -1, 2**53 + 1, 10**30, 0.1, 5e-324, True, None])
def test_figures_in_json_arrive(number: Any) -> None:
    bulk.insert_rows(Alert, [alert(facts={"n": number}, labels={"n": [number]})])
    stored = Alert.objects.get()
    assert stored.facts == {"n": number}
    assert type(stored.labels["n"][0]) is type(number)


def test_bytes_and_uuids_arrive() -> None:
    integration, _ = integration_of("generic")
    body, uid = bytes(range(256)), uuid.uuid4()
    event = InboundEvent(
        integration=integration, received_at=AT, address="/", body=body, sha256="0" * 64, uid=uid,
        state=InboundEvent.State.PARSED,
    )  # fmt: skip
    inserts = Inserts()
    inserts.add(event)
    inserts.write()
    stored = InboundEvent.objects.get()
    assert (bytes(stored.body), stored.uid) == (body, uid)


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)):
        bulk.insert_rows(Alert, [alert(facts={"a": object()})])
    assert not Alert.objects.exists()
