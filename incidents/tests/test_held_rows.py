"""Somebody holds a row, or the whole of the database: whoever sends alerts is answered in bounded time."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from core import clock
from core.tests.crossing import beside
from incidents.models import Alert, InboundEvent
from incidents.services import receiving
from incidents.services.inbound import Taken
from incidents.tests.senders import integration_of
from incidents.tests.test_intake_together import fires, request_of, together


@pytest.mark.django_db(transaction=True)
def test_requests_about_a_held_alert_wait_for_it_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what others of the moment say is stored as soon as they have waited once."""
    monkeypatch.setattr(receiving, "_PATIENCE_S", 1.2)
    integration, _key = integration_of("generic")
    together(request_of(integration, fires("held")))
    later = clock.now() + timedelta(minutes=1)
    keys = ["held", "held", "held", "one", "held", "held", "two"]
    requests = [request_of(integration, fires(key), now=later) for key in keys]
    took: list[float] = []
    done: list[Sequence[Taken | BaseException]] = []

    def take() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        began = time.monotonic()
        done.append(receiving._take_all(requests))
        took.append(time.monotonic() - began)

    with transaction.atomic():
        list(Alert.objects.select_for_update().filter(dedup_key="held"))
        doing, failed = beside(take)
        doing.join(30)
    assert not failed
    assert [isinstance(each, Taken) for each in done[0]] == [key != "held" for key in keys]
    assert took[0] < 3, "the timeout once, not for each of six"
    assert Alert.objects.filter(dedup_key__in=["one", "two"]).count() == 2
    assert InboundEvent.objects.count() == 3


@pytest.mark.django_db
def test_a_busy_file_is_not_waited_for_again_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes to SQLite writes to all of it: whoever waited for it in vain has waited for everybody."""
    integration, _key = integration_of("generic")
    tries: list[int] = []

    def busy(requests: Sequence[object]) -> None:
        tries.append(len(requests))
        cause = sqlite3.OperationalError("database is locked")
        cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("database is locked") from cause

    monkeypatch.setattr(receiving, "_take_at_once", busy)
    with pytest.raises(OperationalError, match="locked"):
        receiving._take_all([request_of(integration, fires(key)) for key in "ab"])
    assert tries == [2]
    assert not InboundEvent.objects.exists()
