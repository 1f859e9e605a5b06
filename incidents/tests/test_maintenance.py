"""`/api/v1/maintenance/`: planned work calls nobody while it lasts, once or every week."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, send, signed_in, token_of
from catalog.models import Service, Team
from incidents.models import Alert, Maintenance, Silence
from incidents.services import maintenance
from incidents.services.intake import AlertSignal, receive
from incidents.tests.oncall_portal import Portal, portal
from slo.domain.corrections import occurrences
from slo.domain.windows import Window
from slo.models import Correction

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def api(portal: Portal) -> Client:
    return signed_in(Role.RESPONDER)


def planned(portal: Portal, **values: Any) -> dict[str, Any]:
    """Return maintenance of an hour that begins in an hour."""
    return {
        "service": "checkout",
        "starts_at": (portal.now + timedelta(hours=1)).isoformat(),
        "ends_at": (portal.now + timedelta(hours=2)).isoformat(),
        "comment": "Database upgrade",
        **values,
    }


def wait(portal: Portal, **span: float) -> None:
    """Let time pass with a pager that makes silences each minute."""
    until = portal.now + timedelta(**span)
    while portal.now < until:
        portal.fast_forward(minutes=min(1, (until - portal.now).total_seconds() / 60))
        maintenance.silence_due(now=portal.now)
        portal.settle()


def test_nobody_is_called_while_it_lasts_and_somebody_afterwards(
    portal: Portal, api: Client
) -> None:
    made = send(api, "post", "maintenance/", planned(portal), status=201)
    assert (made["is_active"], made["created_by"]) == (False, "user:the-responder")
    assert made["next_starts_at"].startswith("2026-03-02T04:00")
    wait(portal, minutes=65)
    assert send(api, "get", f"maintenance/{made['id']}/", status=200)["is_active"]
    portal.alert("disk", severity="P0")
    assert portal.paged() == []
    assert Alert.objects.get().silenced_by is not None
    wait(portal, minutes=54)
    assert portal.paged() == []
    wait(portal, minutes=2)
    assert portal.paged() == [(120, "alice")]


def test_it_repeats_by_the_wall_clock(portal: Portal, api: Client) -> None:
    """Each Monday at 04:00 in London, winter and summer."""
    said = planned(portal, rule="FREQ=WEEKLY;BYDAY=MO", timezone="Europe/London")
    made = send(api, "post", "maintenance/", said, status=201)
    row = Maintenance.objects.get(pk=made["id"])
    summer = portal.now.replace(month=4, day=6, hour=2, minute=55)
    assert maintenance.silence_due(now=summer) == 1
    assert maintenance.silence_due(now=summer + timedelta(minutes=1)) == 0
    silence = Silence.objects.get(maintenance=row)
    assert silence.starts_at == summer.replace(hour=3, minute=0)
    assert silence.ends_at == summer.replace(hour=4, minute=0)


def test_it_is_silent_also_where_no_pager_was_there_when_it_began(
    portal: Portal, api: Client
) -> None:
    """Gone half an hour before, back five minutes after: what fires meanwhile calls nobody."""
    later = {
        "starts_at": (portal.now + timedelta(hours=2)).isoformat(),
        "ends_at": (portal.now + timedelta(hours=3)).isoformat(),
    }
    send(api, "post", "maintenance/", planned(portal, **later), status=201)
    wait(portal, minutes=90)
    portal.now += timedelta(minutes=32)
    signal = AlertSignal(
        "test", "disk", firing=True, severity="P0", title="x", service=portal.service
    )
    receive(signal, now=portal.now)
    wait(portal, minutes=57)
    assert portal.paged() == []
    wait(portal, minutes=2)
    assert portal.paged() == [(180, "alice")]


def test_what_goes_on_is_silent_at_once_and_called_off_calls(portal: Portal, api: Client) -> None:
    said = planned(portal, starts_at=(portal.now - timedelta(minutes=5)).isoformat())
    made = send(api, "post", "maintenance/", said, status=201)
    portal.alert("disk", severity="P0")
    assert portal.paged() == []
    portal.now += timedelta(minutes=1)
    done = send(api, "post", f"maintenance/{made['id']}/cancel/", status=200)
    assert done["cancelled_at"]
    portal.settle()
    assert portal.paged() == [(1, "alice")]
    send(api, "post", f"maintenance/{made['id']}/cancel/", status=409)
    assert done["next_starts_at"] is None


def test_what_is_called_off_while_a_pager_makes_its_silence_is_not_silent(
    portal: Portal, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(api, "post", "maintenance/", planned(portal, rule="FREQ=DAILY"), status=201)
    spans = Maintenance.spans

    def called_off(row: Maintenance, after: datetime, before: datetime) -> Any:
        """Stand in for a colleague who is faster than the pager."""
        maintenance.cancel_maintenance(row, actor=None, now=after)
        return spans(row, after, before)

    portal.now += timedelta(minutes=30)
    monkeypatch.setattr(Maintenance, "spans", called_off)
    assert maintenance.silence_due(now=portal.now) == 0
    assert not Silence.objects.exists()


def test_it_leaves_budgets_alone_where_that_is_chosen(portal: Portal, api: Client) -> None:
    send(api, "post", "maintenance/", planned(portal), status=201)
    assert not Correction.objects.exists()
    said = planned(portal, excludes_budget=True, rule="FREQ=DAILY")
    made = send(api, "post", "maintenance/", said, status=201)
    correction = Correction.objects.get()
    assert (correction.mode, correction.rule, correction.service) == (
        "exclude", "FREQ=DAILY", portal.service,
    )  # fmt: skip
    send(api, "post", f"maintenance/{made['id']}/cancel/", status=200)
    correction.refresh_from_db()
    assert correction.cancelled_at == portal.now


@pytest.mark.parametrize("rule", ["", "FREQ=DAILY"])
def test_an_occurrence_that_was_ended_before_it_began_stays_ended(
    portal: Portal, api: Client, rule: str
) -> None:
    """Its silence stands an hour before; the next day's occurrence is silent as planned."""
    send(api, "post", "maintenance/", planned(portal, rule=rule), status=201)
    wait(portal, minutes=55)
    silence = Silence.objects.get()
    send(api, "post", f"silences/{silence.pk}/end/", status=200)
    wait(portal, minutes=10)
    assert Silence.objects.count() == 1
    portal.alert("disk", severity="P0")
    assert portal.paged() == [(65, "alice")]
    tomorrow = silence.starts_at + timedelta(days=1)
    assert maintenance.silence_due(now=tomorrow) == (1 if rule else 0)


def test_an_occurrence_whose_silence_is_moved_is_not_silenced_twice(
    portal: Portal, api: Client
) -> None:
    """As could be before its end was all that may be changed."""
    send(api, "post", "maintenance/", planned(portal), status=201)
    wait(portal, minutes=55)
    silence = Silence.objects.get()
    later = silence.starts_at + timedelta(minutes=30)
    Silence.objects.filter(pk=silence.pk).update(starts_at=later)
    wait(portal, minutes=10)
    assert Silence.objects.count() == 1


@pytest.mark.parametrize("minutes", [55, 70])
def test_an_occurrence_that_was_ended_is_over(portal: Portal, api: Client, minutes: int) -> None:
    """Before it began or in the middle: it neither goes on nor spares the budget; the next one does."""
    said = planned(portal, rule="FREQ=DAILY", excludes_budget=True)
    made = send(api, "post", "maintenance/", said, status=201)
    begins = portal.now + timedelta(hours=1)
    wait(portal, minutes=minutes)
    send(api, "post", f"silences/{Silence.objects.get().pk}/end/", status=200)
    shown = send(api, "get", f"maintenance/{made['id']}/", status=200)
    assert (shown["is_active"], shown["next_starts_at"][:16]) == (False, "2026-03-03T04:00")
    assert "Goes on" not in api.get("/alerts/quiet/").content.decode()
    window = Window(begins, begins + timedelta(days=2))
    days = {begins + timedelta(days=day): timedelta(hours=1) for day in (0, 1)}
    days[begins] = max(portal.now - begins, timedelta())
    for correction in (Correction.objects.get(), Correction.objects.with_early_ends().get()):
        parts = occurrences(correction.as_domain(), window)
        assert {part.start: part.end - part.start for part in parts} == {
            start: length for start, length in days.items() if length
        }


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ends_at": "2026-03-02T03:30:00Z"}, "ends_at"),
        ({"ends_at": "2026-05-02T03:30:00Z"}, "ends_at"),
        ({"rule": "every sunday"}, "rule"),
        ({"rule": "FREQ=SECONDLY"}, "rule"),
        ({"rule": "FREQ=DAILY;INTERVAL=1000000000"}, "rule"),
        ({"rule": "FREQ=DAILY;INTERVAL=-1"}, "rule"),
        ({"starts_at": "9999-12-31T00:00:00Z", "ends_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"starts_at": "0001-01-01T00:00:00Z", "rule": "FREQ=DAILY"}, "starts_at"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"comment": " "}, "comment"),
        ({"service": "nowhere"}, "service"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_named(
    portal: Portal, api: Client, wrong: dict[str, Any], field: str
) -> None:
    answer = send(api, "post", "maintenance/", planned(portal, **wrong), status=400)
    assert list(answer["errors"]) == [field]
    assert not Maintenance.objects.exists()


def test_a_deployment_plans_it_with_a_token(portal: Portal) -> None:
    """Scope write; reading alone does not do."""
    person = portal.people["alice"]
    for scope, status in ((Scope.READ, 403), (Scope.WRITE, 201)):
        _, secret = token_of(person, scope)
        answer = Client().post(
            "/api/v1/maintenance/",
            planned(portal),
            content_type="application/json",
            headers=bearer(secret),
        )
        assert answer.status_code == status


def test_of_services_that_are_hidden_nothing_is_seen(portal: Portal, api: Client) -> None:
    secret = Service.objects.create(
        slug="secret", name="Secret", owner=Team.objects.create(slug="t", name="T"), is_private=True
    )
    row = maintenance.plan(
        fields={
            "service": secret,
            "starts_at": portal.now,
            "ends_at": portal.now + timedelta(hours=1),
            "comment": "x",
        },
        actor="test",
        now=portal.now,
    )
    assert send(api, "get", "maintenance/", status=200)["results"] == []
    send(api, "get", f"maintenance/{row.pk}/", status=404)
    send(api, "post", "maintenance/", planned(portal, service="secret"), status=400)


def test_a_rule_that_nothing_can_be_worked_out_of_hides_no_other(
    portal: Portal, api: Client
) -> None:
    """It was stored before such rules were refused; it is listed without a next time, and called off."""
    send(api, "post", "maintenance/", planned(portal), status=201)
    Maintenance.objects.create(
        service=portal.service,
        starts_at=portal.now - timedelta(days=5),
        ends_at=portal.now - timedelta(days=5, hours=-1),
        rule="FREQ=DAILY;INTERVAL=1000000000",
        comment="Odd",
    )
    found = send(api, "get", "maintenance/", status=200)["results"]
    assert {each["comment"]: each["next_starts_at"] is None for each in found} == {
        "Odd": True,
        "Database upgrade": False,
    }
    odd = next(each["id"] for each in found if each["comment"] == "Odd")
    send(api, "post", f"maintenance/{odd}/cancel/", status=200)
    assert api.get("/alerts/quiet/").status_code == 200
