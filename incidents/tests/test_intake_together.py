"""Requests of the same moment share a transaction; what they do is what each would do alone."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection

from core import clock
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.models import (
    Alert,
    AlertLogEntry,
    EscalationRun,
    InboundEvent,
    Incident,
    Integration,
    Silence,
    TimelineEntry,
)
from incidents.services import intake, integrations, receiving
from incidents.services.inbound import RawRequest, Request, Taken
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db]


def request_of(integration: Any, *events: AlertEvent, now: Any = None) -> Request:
    raw = RawRequest("/x", b"{}")
    return Request(integration, raw, Reading(tuple(events)), None, now or clock.now())


def fires(key: str, group: str = "", severity: str = "P2", **more: Any) -> AlertEvent:
    return AlertEvent(Act.TRIGGER, key, f"{key} fires", severity, group_key=group, **more)


def ends(key: str, **more: Any) -> AlertEvent:
    return AlertEvent(Act.RESOLVE, key, **more)


def together(*requests: Request) -> list[Taken]:
    found = receiving._take_all(requests)
    assert all(isinstance(each, Taken) for each in found), found
    return [each for each in found if isinstance(each, Taken)]


@pytest.mark.both_databases
def test_statements_do_not_grow_with_the_alerts() -> None:
    integration, _key = integration_of("generic")
    together(request_of(integration, fires("first")))
    counts: list[int] = []
    for size in (1, 2, 50):
        with connection.execute_wrapper(_Counter(counts)):
            counts.append(0)
            together(*(request_of(integration, fires(f"{size}-{n}")) for n in range(size)))
    assert len(set(counts)) == 1
    assert Incident.objects.count() == Alert.objects.count() == EscalationRun.objects.count() == 54


@pytest.mark.both_databases
def test_alerts_of_one_group_open_one_incident_as_bad_as_the_worst() -> None:
    integration, _key = integration_of("generic")
    together(
        request_of(integration, fires("a", "disk", "P2"), fires("b", "disk", "P0")),
        request_of(integration, fires("c", "disk", "P1")),
    )
    incident = Incident.objects.get()
    assert (incident.severity, incident.title, incident.cycle) == ("P0", "b fires", 1)
    assert set(incident.alerts.values_list("dedup_key", flat=True)) == {"a", "b", "c"}
    acts = list(incident.timeline.order_by("pk").values_list("act", "text"))
    assert acts[0] == ("open", "b fires")
    assert sorted(acts[1:]) == [
        ("alert_fired", "Fires: a fires"),
        ("alert_fired", "Fires: c fires"),
    ]


@pytest.mark.both_databases
def test_one_condition_again_and_again_keeps_its_order() -> None:
    integration, _key = integration_of("generic")
    taken = together(
        request_of(integration, fires("a", severity="P3")),
        request_of(integration, fires("a", severity="P1")),
        request_of(integration, ends("a")),
        request_of(integration, ends("a")),
        request_of(integration, fires("a", severity="P2")),
    )
    assert [each.applied for each in taken] == [1, 1, 1, 0, 1]
    first, second = Alert.objects.order_by("pk")
    assert (first.state, first.count, first.severity) == ("resolved", 2, "P1")
    assert (second.state, second.count, second.severity) == ("firing", 1, "P2")
    assert [incident.status for incident in Incident.objects.order_by("pk")] == [
        "resolved",
        "triggered",
    ]
    assert list(first.log.values_list("kind", flat=True)) == ["opened", "repeated", "resolved"]


@pytest.mark.both_databases
def test_an_end_beside_a_beginning_of_the_same_group_leaves_the_incident_open() -> None:
    integration, _key = integration_of("generic")
    together(request_of(integration, fires("a", "disk")))
    together(request_of(integration, ends("a")), request_of(integration, fires("b", "disk")))
    incident = Incident.objects.get()
    assert incident.status == "triggered"


@pytest.mark.both_databases
def test_what_came_late_by_the_senders_clock_changes_nothing() -> None:
    integration, _key = integration_of("generic")
    now = clock.now()

    def ordered(minutes: int) -> dict[str, Any]:
        return {"at": now + timedelta(minutes=minutes), "is_ordered": True}

    together(request_of(integration, fires("a", **ordered(1))))
    together(request_of(integration, ends("a", **ordered(3))))
    taken = together(
        request_of(integration, fires("a", **ordered(2))),
        request_of(integration, fires("b", **ordered(2))),
    )
    assert [each.applied for each in taken] == [0, 1]
    assert Alert.objects.get(dedup_key="a").state == "resolved"
    late = InboundEvent.objects.get(ext_id="a", alerts=0)
    assert late.state == "parsed"


@pytest.mark.both_databases
def test_one_that_cannot_be_stored_undoes_no_other() -> None:
    integration, _key = integration_of("generic")
    poison = fires("poison", facts={"value": object()})
    taken = together(
        request_of(integration, fires("a")),
        request_of(integration, poison, fires("b")),
        request_of(integration, fires("c")),
    )
    assert [each.applied for each in taken] == [1, 1, 1]
    assert [each.event.state for each in taken] == ["parsed", "partly", "parsed"]
    assert set(Alert.objects.values_list("dedup_key", flat=True)) == {"a", "b", "c"}
    assert InboundEvent.objects.count() == 3


def test_who_opened_the_same_in_the_same_moment_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another process is faster once; the second try joins what that one opened."""
    integration, _key = integration_of("generic")
    fire_all, calls = intake._fire_all, list[int]()

    def raced(signals: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        calls.append(len(signals))
        if len(calls) == 1:
            raise IntegrityError("incidents_incident_one_open_of_group")
        return fire_all(signals, *args, **kwargs)

    monkeypatch.setattr(intake, "_fire_all", raced)
    (taken,) = together(request_of(integration, fires("a")))
    assert (taken.applied, taken.event.state) == (1, "parsed")
    assert calls == [1, 1]
    assert Incident.objects.count() == InboundEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_threads_at_once_lose_nothing_and_double_nothing() -> None:
    """Eight connections send the same forty alerts of four groups, each twice."""
    _integration, key = integration_of("generic")

    def send(number: int) -> int:
        try:
            body = {"title": f"t{number % 40}", "dedup_key": f"k{number % 40}",
                    "group": f"g{number % 4}"}  # fmt: skip
            return int(post(f"/integrations/v1/generic/{key}/", body).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(send, range(80))) == {200}
    assert InboundEvent.objects.count() == 80
    assert Alert.objects.count() == 40
    assert set(Alert.objects.values_list("count", flat=True)) == {2}
    assert Incident.objects.count() == EscalationRun.objects.count() == 4
    assert AlertLogEntry.objects.count() == 80
    opened = TimelineEntry.objects.filter(act="open").count()
    assert (opened, TimelineEntry.objects.filter(act="alert_fired").count()) == (4, 36)


@pytest.mark.both_databases
def test_raw_bodies_and_headers_are_kept_as_they_came() -> None:
    _integration, key = integration_of("generic")
    body = json.dumps({"title": "Ünïcode \u0001 \U0001f525", "dedup_key": "x"}).encode()
    assert post(f"/integrations/v1/generic/{key}/", body).status_code == 200
    event = InboundEvent.objects.get()
    assert bytes(event.body) == body
    assert event.headers["content-type"] == "application/json"


class _Counter:
    def __init__(self, counts: list[int]) -> None:
        self._counts = counts

    def __call__(self, execute: Any, *args: Any) -> Any:
        self._counts[-1] += 1
        return execute(*args)


@pytest.mark.both_databases
def test_a_process_that_remembers_a_key_finds_out_what_became_of_it() -> None:
    """Looked up without asking the database, but stored under what holds."""
    integration, key = integration_of("generic", severity_map={"bad": "P2"})
    rows = Integration.objects.filter(pk=integration.pk)

    def send(number: int) -> int:
        body = {"title": "x", "dedup_key": f"k{number}", "severity": "bad"}
        return int(post(f"/integrations/v1/generic/{key}/", body).status_code)

    assert [send(1), send(2)] == [200, 200]
    found, revision = integrations.find_known(key, "generic")
    assert (found, bool(revision)) == (integration, True)
    rows.update(severity_map={"bad": "P0"})
    assert send(3) == 200
    severities = Alert.objects.order_by("pk").values_list("severity", flat=True)
    assert list(severities) == ["P2", "P2", "P0"]
    rows.update(is_enabled=False)
    assert send(4) == 404
    assert InboundEvent.objects.count() == 3
    rows.update(is_enabled=True)
    assert send(5) == 200


@pytest.mark.both_databases
def test_what_changes_elsewhere_costs_no_request_a_second_look() -> None:
    """A silence gives everything another revision; integrations that stayed are taken as they are."""
    integration, key = integration_of("generic")
    assert post(f"/integrations/v1/generic/{key}/", {"title": "x"}).status_code == 200
    found, revision = integrations.find_known(key)
    assert found is not None
    silence = Silence(starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1))
    Silence.objects.bulk_create([silence])
    raw, reading = RawRequest("/x", b"{}"), Reading((fires("a"),))
    request = Request(found, raw, reading, None, clock.now(), revision)
    (taken,) = together(request)
    assert taken.applied == 1
    Integration.objects.filter(pk=integration.pk).update(name="another")
    (changed,) = receiving._take_all([request])
    assert isinstance(changed, receiving.IntegrationChanged)
    assert InboundEvent.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_threads_of_a_web_process_share_a_connection_and_lose_nothing_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whose transaction begins on a connection that the server has ended, has it on the next."""
    _integration, key = integration_of("generic")
    monkeypatch.setattr(receiving._connection, "_is_open", True)
    served: list[int] = []
    store = receiving._store

    def noted(*args: Any) -> Any:
        served.append(connection.connection.get_backend_pid())
        return store(*args)

    monkeypatch.setattr(receiving, "_store", noted)

    def send(number: int) -> int:
        try:
            body = {"title": f"t{number}", "dedup_key": f"k{number}"}
            return int(post(f"/integrations/v1/generic/{key}/", body).status_code)
        finally:
            connection.close()

    try:
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(send, range(40))) == {200}
            assert len(set(served)) == 1
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", served[:1])
            assert set(threads.map(send, range(40, 80))) == {200}
        assert len(set(served)) == 2
    finally:
        with receiving._connection.in_place():
            connection.close()
    assert InboundEvent.objects.count() == Alert.objects.count() == Incident.objects.count() == 80


@pytest.mark.both_databases
def test_a_condition_that_comes_and_goes_within_one_batch_is_flapping() -> None:
    integration, _key = integration_of("generic")
    together(request_of(integration, *(each("disk") for _ in range(3) for each in (fires, ends))))
    flags = Incident.objects.order_by("pk").values_list("is_flapping", "status")
    assert list(flags) == [(False, "resolved"), (False, "resolved"), (True, "triggered")]


def test_only_what_was_open_of_late_is_asked_how_often() -> None:
    """Most alerts of a storm are new: whether they flap costs them no statement."""
    integration, _key = integration_of("generic")
    now = clock.now()
    counts: list[int] = []
    with connection.execute_wrapper(_Counter(counts)):
        for act, key, minutes in (
            (fires, "first", 0), (fires, "new", 0), (ends, "first", 0), (fires, "first", 1),
            (ends, "first", 31), (fires, "first", 32),
        ):  # fmt: skip
            counts.append(0)
            together(request_of(integration, act(key), now=now + timedelta(minutes=minutes)))
    _, fresh, _, again, _, long_after = counts
    assert (again, long_after) == (fresh + 1, fresh)
