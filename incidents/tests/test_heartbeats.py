"""Signs of life: silence and failure alert, a success ends it, and nothing alerts twice."""

import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from core.models import AuditEntry
from incidents.domain.heartbeats import next_after
from incidents.models import Alert, Heartbeat, InboundEvent
from incidents.services import heartbeats, intake
from incidents.tests import bodies
from incidents.tests.senders import integration_of, post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
START = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Clock:
    """The wall clock, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = START
        monkeypatch.setattr("django.utils.timezone.now", lambda: self.now)

    def forward(self, **span: float) -> int:
        """Let time pass, then check; returns how many alerted."""
        self.now += timedelta(**span)
        return heartbeats.check(now=self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def get(path: str) -> int:
    return Client().get(path).status_code


def test_silence_alerts_once_and_a_sign_ends_it(clock: Clock) -> None:
    integration, key = integration_of("healthchecks")
    path = f"/ping/{uuid.UUID(key)}"
    answer = Client().get(path)
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (
        200,
        b"OK",
        "text/plain; charset=utf-8",
    )
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.state, heartbeat.name) == ("up", integration.name)
    assert clock.forward(hours=24, minutes=59) == 0
    assert clock.forward(minutes=1) == 1
    assert clock.forward(days=3) == 0
    alert = Alert.objects.get()
    assert (alert.state, alert.source, alert.service) == (
        "firing",
        "heartbeat",
        integration.service,
    )
    assert alert.title == f"{integration.name} gave no sign since 2026-03-02 12:00:00 UTC"
    assert Client().head(path).status_code == 200
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert InboundEvent.objects.count() == 2


@pytest.mark.parametrize(
    ("word", "state", "firing"),
    [
        ("", "up", 0),
        ("/0", "up", 0),
        ("/fail", "down", 1),
        ("/3", "down", 1),
        ("/start", "up", 0),
        ("/log", "new", 0),
    ],
)
def test_what_each_ping_means(clock: Clock, word: str, state: str, firing: int) -> None:
    _integration, key = integration_of("healthchecks")
    assert get(f"/ping/{uuid.UUID(key)}{word}") == 200
    assert Heartbeat.objects.get().state == state
    assert Alert.objects.firing().count() == firing


def test_a_run_that_does_not_end_alerts_after_the_grace(clock: Clock) -> None:
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{uuid.UUID(key)}/start")
    assert clock.forward(minutes=59) == 0
    assert clock.forward(minutes=2) == 1
    assert "did not end" in Alert.objects.get().title


def test_starts_put_nothing_off(clock: Clock) -> None:
    """It is due by what comes first: from its last end, or from the first start after that."""
    _integration, key = integration_of("healthchecks")
    path = f"/ping/{uuid.UUID(key)}"
    get(f"{path}/start")
    for _ in range(3):
        clock.now += timedelta(minutes=15)
        get(f"{path}/start")
    assert Heartbeat.objects.get().due_at == START + timedelta(hours=1)
    get(path)
    ended = clock.now
    clock.now += timedelta(hours=24, minutes=50)
    get(f"{path}/start")
    assert Heartbeat.objects.get().due_at == ended + timedelta(hours=25)
    assert clock.forward(minutes=11) == 1
    assert "did not end" in Alert.objects.get().title
    get(f"{path}/start")
    assert Heartbeat.objects.get().state == "down"
    get(path)
    assert Alert.objects.get().state == "resolved"
    assert Heartbeat.objects.get().due_at == clock.now + timedelta(hours=25)


def test_a_new_rhythm_keeps_a_run_that_has_started(clock: Clock) -> None:
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{uuid.UUID(key)}")
    clock.now += timedelta(hours=1)
    get(f"/ping/{uuid.UUID(key)}/start")
    for period, due in ((timedelta(hours=9), 2), (timedelta(minutes=30), 1.5)):
        heartbeat = Heartbeat.objects.get()
        heartbeats.save_heartbeat(heartbeat, fields={"period": period}, actor="test", now=clock.now)
        assert heartbeat.due_at == START + timedelta(hours=due)


@pytest.mark.parametrize("first", ["sender", "heartbeat"])
def test_a_sender_cannot_reach_the_alerts_of_its_heartbeats(clock: Clock, first: str) -> None:
    """Nor the other way round, whatever keys it gives."""
    _integration, key = integration_of("grafana")
    path = f"/integrations/v1/grafana/{key}/"
    get(f"{path}heartbeat/")
    own = f"heartbeat/{Heartbeat.objects.get().pk}"

    def said(status: str) -> None:
        alert = {"status": status, "fingerprint": own, "labels": {"alertname": "Disk"}}
        body = {**bodies.ALERTMANAGER, "alerts": [alert]}
        assert post(path, body).json()["remarks"] == []

    if first == "sender":
        said("firing")
        assert clock.forward(hours=1) == 1
    else:
        assert clock.forward(hours=1) == 1
        said("firing")
    assert set(Alert.objects.firing().values_list("source", "dedup_key", "count")) == {
        ("grafana", own, 1),
        ("heartbeat", own, 1),
    }
    said("resolved")
    assert Alert.objects.firing().get().source == "heartbeat"
    said("firing")
    get(f"{path}heartbeat/")
    assert Alert.objects.firing().get().source == "grafana"


def test_wrong_addresses_are_refused(clock: Clock) -> None:
    _integration, key = integration_of("healthchecks")
    _other, generic = integration_of("generic")
    assert get(f"/ping/{uuid.UUID(key)}/256") == 404
    assert get(f"/ping/{uuid.UUID(generic)}") == 404
    assert get(f"/ping/{uuid.uuid4()}") == 404
    assert get(f"/ping/{key}/nightly") == 404
    assert Heartbeat.objects.count() == 0


def test_a_slug_is_made_when_asked_for(clock: Clock) -> None:
    _integration, key = integration_of("healthchecks")
    made = Client().get(f"/ping/{key}/nightly?create=1")
    assert (made.status_code, made.content) == (201, b"Created")
    assert get(f"/ping/{key}/nightly?create=1") == 200
    assert get(f"/ping/{key}/nightly/fail?rid={uuid.uuid4()}") == 200
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.name, heartbeat.state) == ("nightly", "down")
    assert get(f"/ping/{heartbeat.uid}") == 200
    assert Alert.objects.get().state == "resolved"


def test_opsgenie_pings_even_what_it_does_not_know(clock: Clock) -> None:
    _integration, key = integration_of("opsgenie")
    headers = {"Authorization": f"GenieKey {key}"}
    for method in ("get", "post", "put", "patch"):
        answer = getattr(Client(), method)("/v2/heartbeats/night%20job/ping", headers=headers)
        assert answer.status_code == 202
        assert answer.json()["result"] == "PONG - Heartbeat received"
    assert Heartbeat.objects.get().name == "night job"
    assert Client().get("/v2/heartbeats/x/ping").status_code == 401
    assert clock.forward(minutes=11) == 1


def test_a_watchdog_feeds_a_heartbeat(clock: Clock) -> None:
    _integration, key = integration_of("alertmanager")
    watchdog = {"status": "firing", "labels": {"alertname": "Watchdog"}, "annotations": {}}
    body = {**bodies.ALERTMANAGER, "alerts": [watchdog]}
    assert post(f"/integrations/v1/alertmanager/{key}/", body).json()["accepted"] == 1
    assert Alert.objects.count() == 0
    assert clock.forward(minutes=20) == 1
    assert Alert.objects.get().title.startswith("Watchdog gave no sign")


def pause(clock: Clock) -> None:
    heartbeats.save_heartbeat(
        Heartbeat.objects.get(), fields={"is_paused": True}, actor="test", now=clock.now
    )


def test_a_paused_one_is_left_alone(clock: Clock) -> None:
    _integration, key = integration_of("opsgenie")
    path, headers = "/v2/heartbeats/nightly/ping", {"Authorization": f"GenieKey {key}"}
    assert Client().get(path, headers=headers).status_code == 202
    pause(clock)
    assert clock.forward(days=9) == 0
    assert Client().get(path, headers=headers).status_code == 202
    assert clock.forward(days=9) == 0
    assert Heartbeat.objects.get().is_paused is True


@pytest.mark.parametrize(
    ("word", "state", "due"),
    [("", "up", 25), ("/start", "up", 1), ("/fail", "down", 25), ("/log", "down", None)],
)
def test_a_ping_of_healthchecks_ends_a_pause(
    clock: Clock, word: str, state: str, due: int | None
) -> None:
    """Whatever came before it is forgotten; a log is no sign."""
    _integration, key = integration_of("healthchecks")
    path = f"/ping/{uuid.UUID(key)}"
    get(path)
    get(f"{path}/fail")
    pause(clock)
    assert clock.forward(days=9) == 0
    get(f"{path}{word}")
    heartbeat = Heartbeat.objects.get()
    assert (heartbeat.state, heartbeat.is_paused) == (state, word == "/log")
    assert due is None or heartbeat.due_at == clock.now + timedelta(hours=due)
    assert Alert.objects.firing().count() == (word == "/fail")
    assert AuditEntry.objects.filter(act="heartbeat.changed").count() == 2 - (word == "/log")


def test_a_new_rhythm_counts_from_the_last_sign(clock: Clock) -> None:
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{uuid.UUID(key)}")
    fields = {"period": timedelta(minutes=10), "grace": timedelta(minutes=1)}
    heartbeats.save_heartbeat(Heartbeat.objects.get(), fields=fields, actor="test", now=clock.now)
    assert clock.forward(minutes=10, seconds=59) == 0
    assert clock.forward(seconds=1) == 1


def test_two_checkers_alert_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one finds the row changed, although it had read that it is due."""
    _integration, key = integration_of("healthchecks")
    get(f"/ping/{uuid.UUID(key)}")
    receive = intake.receive
    inner = []

    def racing(*args: object, **kwargs: object) -> object:
        inner.append(heartbeats.check(now=clock.now))
        return receive(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("incidents.services.heartbeats.receive", racing)
    assert clock.forward(days=2) == 1
    assert inner == [0]
    assert Alert.objects.get().count == 1


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("cron", "zone", "at", "following"),
    [
        ("0 3 * * 1-5", "UTC", "2026-03-06T03:00:00", "2026-03-09T03:00:00"),
        ("0 3 * * *", BERLIN, "2026-03-02T12:00:00", "2026-03-03T02:00:00"),
        # 02:30 does not exist on 29 March: the job runs when the clocks have jumped.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00:00", "2026-03-29T01:00:00"),
        # 02:10 to 03:00 comes twice on 25 October: in its second time, that of the day has been.
        ("30 2 * * *", BERLIN, "2026-10-25T01:10:00", "2026-10-26T01:30:00"),
        ("45 1 * * *", "America/New_York", "2026-11-01T06:05:00", "2026-11-02T06:45:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T00:10:00", "2026-10-25T00:30:00"),
        # What goes by the clock alone is due in both, and after half an hour that is skipped.
        ("*/20 * * * *", BERLIN, "2026-10-25T00:50:00", "2026-10-25T01:00:00"),
        ("0 */6 * * *", "Australia/Lord_Howe", "2026-10-03T14:54:00", "2026-10-03T19:00:00"),
        ("0 */6 * * *", "Australia/Lord_Howe", "2026-04-04T13:30:00", "2026-04-04T19:30:00"),
        ("7 */2 * * *", "Pacific/Chatham", "2026-09-26T14:00:00", "2026-09-26T14:22:00"),
        ("*/15 * * * *", "UTC", "2026-03-02T12:15:00", "2026-03-02T12:30:00"),
        ("0 0 29 2 *", "UTC", "2026-03-02T12:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_a_schedule_says_when_the_next_sign_is_expected(
    cron: str, zone: str, at: str, following: str
) -> None:
    found = next_after(cron, datetime.fromisoformat(at + "+00:00"), ZoneInfo(zone))
    assert found == datetime.fromisoformat(following + "+00:00")


def test_a_job_of_working_days_is_not_missed_on_a_weekend(clock: Clock) -> None:
    """Every night from Monday to Friday at 03:00 in Berlin, half an hour later at most."""
    _integration, key = integration_of("healthchecks")
    api = signed_in(Role.MANAGER)
    get(f"/ping/{uuid.UUID(key)}")
    heartbeat = Heartbeat.objects.get()
    said = {"schedule": "0 3 * * 1-5", "timezone": BERLIN, "grace": "00:30:00"}
    answer = api.patch(f"/api/v1/heartbeats/{heartbeat.pk}/", said, content_type="application/json")
    assert answer.json()["due_at"] == "2026-03-03T02:30:00Z"
    clock.now = datetime(2026, 3, 6, 2, 5, tzinfo=UTC)
    get(f"/ping/{uuid.UUID(key)}")
    assert clock.forward(days=2, hours=23) == 0
    assert clock.forward(hours=1, minutes=26) == 1
    assert "by 0 3 * * 1-5 (Europe/Berlin)" in Alert.objects.get().detail


def test_a_job_that_ends_in_an_hour_that_comes_again_is_not_missed(clock: Clock) -> None:
    """Begun at half past two of the night of 25 hours, ended at ten past two."""
    _integration, key = integration_of("healthchecks")
    clock.now = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    get(f"/ping/{uuid.UUID(key)}")
    said = {"schedule": "30 2 * * *", "timezone": BERLIN, "grace": "01:00:00"}
    address = f"/api/v1/heartbeats/{Heartbeat.objects.get().pk}/"
    answer = signed_in(Role.MANAGER).patch(address, said, content_type="application/json")
    assert answer.json()["due_at"] == "2026-10-26T02:30:00Z"
    get(f"/ping/{uuid.UUID(key)}")
    assert clock.forward(days=1, hours=1) == 0


@pytest.mark.parametrize(
    "cron", ["daily", "0 3 * *", "61 * * * *", "0 0 30 2 *", "0 3 * * 1-5 x y"]
)
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    integration, _key = integration_of("healthchecks")
    body = {"integration": integration.pk, "name": "backup", "schedule": cron}
    answer = signed_in(Role.MANAGER).post(
        "/api/v1/heartbeats/", body, content_type="application/json"
    )
    assert answer.status_code == 400
    assert "schedule" in str(answer.json())
    assert not Heartbeat.objects.exists()
