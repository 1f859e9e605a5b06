"""Pages of silences and maintenance: made, ended and called off, and what is wrong is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service
from incidents.domain.silencing import read_matcher, written
from incidents.models import Alert, Maintenance, Silence
from incidents.services import intake

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    """Checkout, on a clock that stands."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    return Service.objects.create(slug="checkout", name="Checkout", tier=1)


@pytest.mark.parametrize(
    ("line", "name", "op", "value"),
    [
        ('env="prod"', "env", "=", "prod"),
        ("env = prod", "env", "=", "prod"),
        ('host=~"web.*"', "host", "=~", "web.*"),
        ('path!="a=b"', "path", "!=", "a=b"),
        (r'title!~"say \"hi\""', "title", "!~", 'say "hi"'),
        ('env=""', "env", "=", ""),
    ],
)
def test_matchers_are_read_as_alertmanager_writes_them(
    line: str, name: str, op: str, value: str
) -> None:
    found = read_matcher(line)
    assert found == {"name": name, "op": op, "value": value}
    assert read_matcher(written(found)) == found


def test_an_alert_is_silenced_from_its_row_and_the_silence_is_ended(service: Service) -> None:
    alert = intake.receive(
        intake.AlertSignal(
            "test", "k", firing=True, severity="P1", title="Disk is full", service=service,
            labels={"alertname": "DiskFull", "instance": "db-1", "pod": "x"},
        ),
        now=NOW,
    )  # fmt: skip
    assert alert is not None
    client = signed_in(Role.RESPONDER)
    link = f"/alerts/silences/new/?alert={alert.pk}"
    assert link in client.get("/alerts/").content.decode()
    form = client.get(link).context["form"]
    assert form["matchers"].value() == 'alertname="DiskFull"\ninstance="db-1"'
    said = {
        "service": "checkout", "matchers": form["matchers"].value(), "length": "2 h",
        "comment": "The disk is replaced",
    }  # fmt: skip
    assert client.post(link, said).status_code == 302
    silence = Silence.objects.get()
    assert (silence.starts_at, silence.ends_at) == (NOW, NOW + timedelta(hours=2))
    page = client.get("/alerts/quiet/").content.decode()
    assert "The disk is replaced" in page
    client.post(f"/alerts/silences/{silence.pk}/end/")
    silence.refresh_from_db()
    assert silence.ends_at == NOW
    assert "The disk is replaced" not in client.get("/alerts/quiet/").content.decode()
    assert "The disk is replaced" in client.get("/alerts/quiet/?state=ended").content.decode()
    again = client.post(f"/alerts/silences/{silence.pk}/end/", follow=True)
    assert "It has ended already." in again.content.decode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"service": "", "matchers": ""}, "It would silence everything"),
        ({"matchers": "everything"}, "Write a matcher like"),
        ({"matchers": 'a=~"("'}, "The pattern cannot be read"),
        ({"matchers": 'a=~"(?=x)y"'}, "The pattern cannot be read"),
        ({"length": "soon"}, "Write it like 15 min"),
        ({"length": "0"}, "A silence ends after it starts"),
        ({"comment": " "}, "This field is required."),
        ({"starts_at": "2026-01-01T00:00"}, "A silence ends later than now."),
        ({"service": "nowhere"}, "Select a valid choice"),
    ],
)
def test_what_is_wrong_with_a_silence_is_said(change: dict[str, Any], said: str) -> None:
    body = {"service": "checkout", "length": "1 h", "comment": "Work", "matchers": 'a="b"'}
    answer = signed_in(Role.RESPONDER).post("/alerts/silences/new/", body | change)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Silence.objects.exists()


def test_maintenance_is_planned_and_called_off() -> None:
    client = signed_in(Role.RESPONDER)
    body = {
        "service": "checkout", "comment": "Patches", "starts_at": "2026-03-08T02:00",
        "length": "90 min", "rule": "FREQ=WEEKLY;BYDAY=SU", "timezone": "Europe/London",
        "excludes_budget": "on",
    }  # fmt: skip
    assert client.post("/alerts/maintenance/new/", body).status_code == 302
    row = Maintenance.objects.get()
    assert row.ends_at - row.starts_at == timedelta(minutes=90)
    assert row.excludes_budget
    assert "FREQ=WEEKLY;BYDAY=SU" in client.get("/alerts/quiet/").content.decode()
    for change, said in (
        ({"rule": "every sunday"}, "Is no RRULE"),
        ({"timezone": "Mars/Base"}, "Use an IANA time zone"),
        ({"length": "40 d"}, "It ends after it starts, within a month."),
    ):
        wrong = client.post("/alerts/maintenance/new/", body | change)
        assert wrong.status_code == 422
        assert said in wrong.content.decode()
    client.post(f"/alerts/maintenance/{row.pk}/cancel/")
    row.refresh_from_db()
    assert row.cancelled_at == NOW
    assert "Patches" not in client.get("/alerts/quiet/").content.decode()


def test_viewers_look_and_strangers_see_nothing_of_private_services() -> None:
    secret = Service.objects.create(slug="secret", name="Secret", tier=1, is_private=True)
    held = Silence.objects.create(
        service=secret, starts_at=NOW, ends_at=NOW + timedelta(hours=1), comment="Hidden work"
    )
    client = signed_in(Role.VIEWER)
    page = client.get("/alerts/quiet/").content.decode()
    assert "Hidden work" not in page
    assert "New silence" not in page
    for address in ("/alerts/silences/new/", "/alerts/maintenance/new/"):
        assert client.get(address).status_code == 403
    responder = signed_in(Role.RESPONDER)
    assert responder.post(f"/alerts/silences/{held.pk}/end/").status_code == 404
    assert responder.post("/alerts/maintenance/4711/cancel/").status_code == 404
    assert responder.get("/alerts/silences/new/?alert=x").status_code == 200
    assert not Alert.objects.exists()


def test_whose_silence_it_is_is_said_as_people_say_it(service: Service) -> None:
    for actor in ("user:alice", "token:4f2a of user:bob"):
        Silence.objects.create(
            service=service, comment="Disks", created_by=actor,
            starts_at=NOW, ends_at=NOW + timedelta(hours=1),
        )  # fmt: skip
    page = signed_in(Role.VIEWER).get("/alerts/quiet/").content.decode()
    assert "by alice" in page
    assert "by token 4f2a of bob" in page


@pytest.mark.parametrize(
    ("length", "rule", "is_refused"),
    [
        ("9 d", "FREQ=DAILY", True),
        ("1 d", "FREQ=DAILY", True),
        ("31 d", "FREQ=MONTHLY", True),
        ("1 d", "FREQ=DAILY;COUNT=5", False),
        ("23 h", "FREQ=DAILY", False),
        ("2 d", "FREQ=WEEKLY", False),
    ],
)
def test_maintenance_that_never_ends_is_refused(length: str, rule: str, is_refused: bool) -> None:
    """Repeated without a gap, it would silence the service for ever."""
    sent = {"service": "checkout", "comment": "Upgrade", "length": length, "rule": rule,
            "timezone": "UTC"}  # fmt: skip
    answer = signed_in(Role.RESPONDER).post("/alerts/maintenance/new/", sent)
    if is_refused:
        assert "leave no gap" in " ".join(answer.context["form"].errors["rule"])
    assert (answer.status_code == 422) == is_refused


@pytest.mark.parametrize(
    ("path", "kept"), [("silences", Silence.objects), ("maintenance", Maintenance.objects)]
)
def test_a_second_tap_makes_no_second_one(service: Service, path: str, kept: Any) -> None:
    client = signed_in(Role.RESPONDER)
    page = f"/alerts/{path}/new/"
    once = client.get(page).context["form"]["once"].value()
    typed = {"service": "checkout", "length": "1 h", "comment": "Disks", "timezone": "UTC"}
    assert client.post(page, {**typed, "once": once, "length": "9999 d"}).status_code == 422
    for _ in range(2):
        assert client.post(page, {**typed, "once": once}).status_code == 302
    assert kept.count() == 1


@pytest.mark.parametrize("is_ended", [True, False])
@pytest.mark.parametrize(
    ("path", "kept", "end"),
    [("silences", Silence.objects, "end"), ("maintenance", Maintenance.objects, "cancel")],
)
def test_what_no_longer_holds_is_made_again_from_the_page_before(
    monkeypatch: pytest.MonkeyPatch, path: str, kept: Any, end: str, *, is_ended: bool
) -> None:
    client, page = signed_in(Role.RESPONDER), f"/alerts/{path}/new/"
    once = client.get(page).context["form"]["once"].value()
    sent = {"service": "checkout", "length": "1 h", "comment": "Disks", "timezone": "UTC"}
    sent["once"] = once
    client.post(page, sent)
    if is_ended:
        client.post(f"/alerts/{path}/{kept.get().pk}/{end}/")
    else:
        monkeypatch.setattr("django.utils.timezone.now", lambda: NOW + timedelta(hours=2))
    for _ in range(2):
        client.post(page, sent)
    assert kept.count() == 2
