"""Corrections, annotations, ledger, policies and the freeze, as programs see them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person
from core.clock import floor_minute, now
from incidents.models import Alert, Incident
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from incidents.tests.senders import integration_of
from incidents.tests.senders import post as post_event
from slo.domain.ledger import Cause
from slo.domain.windows import Window
from slo.models import BudgetPolicy, FreezeOverride, Slo
from slo.queries.ledgers import happenings
from slo.services import policies
from slo.tests.world import MINUTE, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SLO = "users-api-availability"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a portal with the Users API, an hour ago by a clock that stands still."""
    started = now()
    monkeypatch.setattr("django.utils.timezone.now", lambda: started)
    world = World()
    world.minute = floor_minute(started) - timedelta(hours=1)
    return world


@pytest.fixture
def api() -> Client:
    """Return a manager's client."""
    return signed_in(Role.MANAGER)


def signed_in(role: Role) -> Client:
    client = Client()
    client.force_login(person(f"the-{role.label.lower()}", role))
    return client


def post(api: Client, path: str, body: Any = None, *, status: int = 201) -> Any:
    answer = api.post(f"/api/v1/{path}", body or {}, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json()


def get(api: Client, path: str) -> Any:
    answer = api.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def freeze(api: Client) -> Any:
    return get(api, "services/users-api/freeze")


def spend(world: World) -> None:
    """Exhaust the availability's budget."""
    world.run(3, 90, errors=10)


def test_a_service_without_figures_is_not_frozen(world: World, api: Client) -> None:
    """No data holds nothing, and says that nothing is known."""
    found = freeze(api)
    assert (found["frozen"], found["because"], found["until"], found["as_of"]) == (
        False,
        None,
        None,
        None,
    )


def test_an_exhausted_budget_freezes_until_the_bad_minutes_have_left(
    world: World, api: Client
) -> None:
    """Without further bad events that is 30 days after the hour of the last one."""
    start = world.minute
    spend(world)
    found = freeze(api)
    assert found["frozen"] is True
    assert SLO in found["because"]
    assert "exhausted" in found["because"]
    assert start + timedelta(days=30) < parsed(found["until"])
    assert parsed(found["until"]) <= start + timedelta(days=30, hours=1)
    assert [row["slo"] for row in found["slos"]] == [SLO, "users-api-success"]


def parsed(text: str) -> Any:
    return datetime.fromisoformat(text)


def test_a_policy_decides_when_to_freeze(world: World, api: Client) -> None:
    """Never is never; at risk comes before exhausted."""
    made = {"slug": "lenient", "name": "Lenient", "freeze_when": "never"}
    post(api, "budget-policies/", made)
    patched = api.patch(f"/api/v1/slos/{SLO}/", {"policy": "lenient"}, "application/json")
    assert patched.status_code == 200, patched.content
    assert patched.json()["policy"] == "lenient"
    Slo.objects.filter(slug="users-api-success").update(is_enabled=False)
    spend(world)
    assert freeze(api)["frozen"] is False


def test_states_follow_the_policy(world: World, api: Client) -> None:
    """A policy whose budget recovers later keeps it exhausted for longer."""
    policy = post(
        api, "budget-policies/", {"slug": "strict", "name": "Strict", "recovered_above": "0.2"}
    )
    assert policy["at_risk_below"] == "0.2500"
    slo = Slo.objects.get(slug=SLO)
    slo.policy = BudgetPolicy.objects.get(slug="strict")
    slo.save()
    world.run(1, 990, errors=10)
    assert world.status("availability").state == "exhausted"
    world.run(1, 9990)
    left = world.status("availability").budget_remaining
    assert left is not None
    assert 0 < left < 0.2
    assert world.status("availability").state == "exhausted"
    world.run(1, 2600)
    assert world.status("availability").state == "at_risk"


def test_an_override_decides_for_a_while_and_says_whose_it_is(world: World, api: Client) -> None:
    """Released in spite of the budget, until it is ended or expires."""
    spend(world)
    until = (now() + timedelta(hours=2)).isoformat()
    made = post(
        api,
        "freeze-overrides/",
        {"service": "users-api", "frozen": False, "reason": "hotfix", "expires_at": until},
    )
    found = freeze(api)
    assert found["frozen"] is False
    assert found["because"] == "released by the-manager: hotfix"
    assert parsed(found["until"]) == parsed(until)
    assert found["override"]["owner"] == "the-manager"
    assert found["slos"], "what the budgets ask for stays visible"
    post(api, f"freeze-overrides/{made['id']}/end/", status=200)
    post(api, f"freeze-overrides/{made['id']}/end/", status=409)
    assert freeze(api)["frozen"] is True


def test_an_override_expires(world: World, api: Client) -> None:
    """Past its end the budgets decide."""
    spend(world)
    person_ = person("somebody", Role.MANAGER)
    past = now() - timedelta(hours=3)
    policies.override_freeze(
        service=world.service,
        frozen=False,
        reason="x",
        expires_at=past + MINUTE,
        owner=person_,
        now=past,
    )
    assert freeze(api)["frozen"] is True
    late = {"service": "users-api", "frozen": True, "reason": "x", "expires_at": past.isoformat()}
    assert "expires_at" in str(post(api, "freeze-overrides/", late, status=400))
    assert FreezeOverride.objects.count() == 1


def test_the_ledger_adds_up(world: World, api: Client) -> None:
    """A deploy answers for what failed in its hour, then the incident, the rest is unattributed."""
    world.run(2, 90, errors=10)
    at = world.minute.isoformat()
    post(
        api,
        "annotations/",
        {"service": "users-api", "kind": "deploy", "title": "v2", "starts_at": at, "key": "d1"},
    )
    world.run(2, 80, errors=20)
    found = get(api, f"slos/{SLO}/ledger/")
    assert (found["good"], found["bad"], found["unit"]) == (340, 60, "events")
    assert [(row["kind"], row["bad"]) for row in found["rows"]] == [
        ("deploy", 40),
        ("incident", 10),
        ("unattributed", 10),
    ]
    shares = sum(row["share"] for row in found["rows"])
    assert shares == pytest.approx(1 - found["budget_remaining"])


def test_incidents_take_what_failed_while_they_were_open(world: World, api: Client) -> None:
    """A person's incident before a deploy; what the burn alerts opened, where nothing else answers."""
    world.run(2, 90, errors=10)
    burning = Incident.objects.get(title__contains="burns", severity="P0")
    at = world.minute.isoformat()
    deploy = {"service": "users-api", "kind": "deploy", "title": "v2", "starts_at": at}
    ends = (world.minute + 4 * MINUTE).isoformat()
    post(api, "annotations/", {**deploy, "ends_at": ends})
    world.run(2, 80, errors=20)
    opening = Opening("P1", "Slow", service_id=world.service.pk)
    declared = lifecycle.declare(opening, now=world.minute, actor="ann")
    world.run(1, 70, errors=30)
    lifecycle.mitigate(declared.pk, now=world.minute, actor="ann")
    world.run(3, 60, errors=40)
    burning.refresh_from_db()
    rows = get(api, f"slos/{SLO}/ledger/")["rows"]
    assert [(row["kind"], row["title"], row["bad"]) for row in rows] == [
        ("incident", f"{burning.severity} #{burning.pk} {burning.title}", 90),
        ("deploy", "v2", 80),
        ("incident", f"P1 #{declared.pk} Slow", 30),
        ("unattributed", "", 10),
    ]
    assert rows[2]["url"] == f"/i/{declared.pk}"


def test_an_annotation_with_a_key_is_changed_not_doubled(world: World, api: Client) -> None:
    """A deploy is told twice: when it begins and when it ends."""
    body = {
        "service": "users-api",
        "kind": "deploy",
        "title": "v2",
        "key": "d1",
        "starts_at": world.minute.isoformat(),
    }
    first = post(api, "annotations/", body)
    ends = (world.minute + MINUTE * 5).isoformat()
    second = post(api, "annotations/", {**body, "ends_at": ends})
    assert first["id"] == second["id"]
    assert [row["ends_at"] is None for row in get(api, "annotations/")["results"]] == [False]
    before = {**body, "ends_at": (world.minute - MINUTE).isoformat()}
    assert "ends_at" in str(post(api, "annotations/", before, status=400))
    assert api.delete(f"/api/v1/annotations/{first['id']}/").status_code == 204


def test_a_change_that_a_sender_told_of_is_drawn_and_held_responsible(world: World) -> None:
    """A deploy by PagerDuty's change events is a cause like an annotated one."""
    integration, key = integration_of("pagerduty", service=world.service)
    at = world.minute.isoformat()
    post_event(
        "/v2/change/enqueue", {"routing_key": key, "payload": {"summary": "v2", "timestamp": at}}
    )
    slo = Slo.objects.get(slug=SLO)
    window = Window(world.minute - MINUTE, world.minute + MINUTE)
    (found,) = happenings(slo, window)
    assert (found.title, found.happening.cause) == ("v2", Cause.DEPLOY)
    assert integration.changes.get().service == world.service


def test_a_correction_made_by_the_api_tells_its_effect(world: World, api: Client) -> None:
    """Preview stores nothing; creating answers with before and after; cancelling once."""
    start = world.minute
    spend(world)
    body = {
        "slo": SLO,
        "mode": "exclude",
        "starts_at": start.isoformat(),
        "ends_at": (start + MINUTE * 2).isoformat(),
        "reason": "load test",
    }
    seen = post(api, "corrections/preview/", body, status=200)
    assert get(api, "corrections/")["results"] == []
    made = post(api, "corrections/", body)
    assert made["effects"] == seen
    assert (seen[0]["before"]["total"], seen[0]["after"]["total"]) == (300, 100)
    assert made["created_by"] == "the-manager"
    post(api, f"corrections/{made['id']}/cancel/", {"entirely": True}, status=200)
    assert api.delete(f"/api/v1/corrections/{made['id']}/").status_code == 405
    wrong = {**body, "slo": None, "typo": 1}
    assert "typo" in str(post(api, "corrections/", wrong, status=400))


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("corrections/", Role.RESPONDER),
        ("budget-policies/", Role.RESPONDER),
        ("freeze-overrides/", Role.RESPONDER),
        ("annotations/", Role.VIEWER),
    ],
)
def test_lesser_roles_change_nothing(world: World, path: str, role: Role) -> None:
    """They read; a write is refused before its body is looked at."""
    client = signed_in(role)
    get(client, path)
    assert client.post(f"/api/v1/{path}", {}, "application/json").status_code == 403


def test_a_service_that_may_not_be_known_has_no_freeze(world: World, api: Client) -> None:
    """An unknown and a hidden service answer alike."""
    assert api.get("/api/v1/services/nobody/freeze").status_code == 404
    assert Client().get("/api/v1/services/users-api/freeze").status_code == 401


def test_alerts_on_a_budget_follow_its_policy(world: World, api: Client) -> None:
    """No page for an exhausted budget whose policy wants none; a ticket at risk where it does."""
    policy = BudgetPolicy.objects.create(
        slug="quiet", name="Quiet", pages_when_exhausted=False, tickets_when_at_risk=True
    )
    Slo.objects.filter(slug=SLO).update(policy=policy)
    world.run(1, 9990, errors=8)
    assert world.status("availability").state == "at_risk"
    keys = set(Alert.objects.firing().values_list("dedup_key", flat=True))
    assert f"{SLO}:at-risk" in keys
    world.run(2, errors=200)
    keys = set(Alert.objects.firing().values_list("dedup_key", flat=True))
    assert not keys & {f"{SLO}:at-risk", f"{SLO}:budget"}
    assert "users-api-success:budget" in keys
