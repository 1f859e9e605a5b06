"""The operations guide's addresses print what `docs/api.md` says, to those who may read it."""

from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import User
from accounts.roles import Role
from accounts.services.tokens import create_token
from catalog.models import Service
from core import clock
from dashboard.queries import iso
from incidents.services import intake, lifecycle
from incidents.services.intake import AlertSignal
from incidents.services.lifecycle import Opening
from slo.domain.windows import BURN_WINDOWS
from slo.tests.world import LAG, MINUTE, World
from telemetry.services import breakers

pytestmark = pytest.mark.django_db

PATHS = ["dashboard", "health", "metrics", "circuit-breakers", "alerts", "capacity"]


@pytest.fixture
def viewer() -> User:
    """Return somebody who may read."""
    return User.objects.create_user("alice", "alice@example.org", role=Role.VIEWER)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a portal whose wall clock is the world's."""
    made = World()
    for module in ("api", "views"):
        monkeypatch.setattr(f"dashboard.{module}.now", lambda: made.minute + LAG - MINUTE)
    return made


@pytest.fixture
def api(client: Client, viewer: User) -> Client:
    """Return a client that reads with a token."""
    _, text = create_token(user=viewer, name="t", scopes=["read"], now=clock.now())
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {text}"
    return client


def get(api: Client, name: str) -> dict[str, Any]:
    response = api.get(f"/sre/{name}")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("name", PATHS)
def test_strangers_are_refused(client: Client, name: str) -> None:
    """Without a session or a token there is nothing to read."""
    response = client.get(f"/sre/{name}")
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("name", PATHS)
def test_signed_in_people_read_too(client: Client, viewer: User, name: str) -> None:
    """A session is as good as a token."""
    client.force_login(viewer)
    assert client.get(f"/sre/{name}").status_code == 200


def test_dashboard_has_the_promised_shape(api: Client, world: World) -> None:
    """Scripts rely on these keys; figures are fractions and counts."""
    world.run(1, good=998, errors=2)
    body = get(api, "dashboard")
    assert set(body) >= {
        "generated_at", "status", "slos", "alerts", "incidents", "circuit_breakers", "capacity"
    }  # fmt: skip
    slo = {row["slug"]: row for row in body["slos"]}["users-api-availability"]
    assert slo["burn_rate"] == dict.fromkeys(BURN_WINDOWS, 2.0)
    expected = {
        "service": "users-api",
        "kind": "availability",
        "objective": 0.999,
        "window": "30d",
        "method": "occurrences",
        "good": 998,
        "total": 1000,
        "sli": 0.998,
        "budget_remaining": -1.0,
        "state": "exhausted",
        "coverage": 1.0,
        "watermark": "2026-05-03T12:01:00Z",
    }
    assert {key: slo[key] for key in expected} == expected
    assert body["status"] == "degraded"


def test_no_data_is_null_and_unknown(api: Client, world: World) -> None:
    """A new portal says neither zero nor healthy."""
    body = get(api, "dashboard")
    assert body["status"] == "unknown"
    slo = body["slos"][0]
    assert (slo["sli"], slo["budget_remaining"], slo["coverage"], slo["state"]) == (
        None,
        None,
        None,
        "no_data",
    )


def test_one_objective_without_data_is_not_healthy(
    api: Client, client: Client, viewer: User, world: World
) -> None:
    """What nobody measures may be broken: said in JSON and on the overview, until it is measured."""
    world.run(3)
    body = get(api, "dashboard")
    assert {slo["kind"]: slo["state"] for slo in body["slos"]}["freshness"] == "healthy"
    assert body["status"] == "unknown"
    part = get(api, "health")["components"]["slos"]
    assert (part["status"], part["states"]) == ("unknown", {"healthy": 1, "no_data": 3})
    assert part["detail"] == "3 of 4 have no data, the others are within their budget."
    client.force_login(viewer)
    page = client.get("/").content.decode()
    assert "Nothing needs you" in page
    assert "and 2 more have no data; everything else is within its objectives." in page
    world.run(2, good=10)
    assert get(api, "dashboard")["status"] == "healthy"
    assert "Everything is within its objectives." in client.get("/").content.decode()


def test_figures_that_stand_still_are_called_stale(
    api: Client, client: Client, viewer: User, world: World
) -> None:
    """Three minutes without evaluation: since when is said, and nothing is called healthy."""
    world.run(2, good=10)
    assert get(api, "dashboard")["stale_since"] is None
    world.pass_minutes(5)
    body = get(api, "dashboard")
    assert body["stale_since"] == "2026-05-03T12:02:00Z"
    assert body["status"] == "unknown"
    health = get(api, "health")["components"]["evaluation"]
    assert health["status"] == "degraded"
    assert "stale since" in health["detail"]
    client.force_login(viewer)
    assert "Nothing is known yet" in client.get("/").content.decode()


def test_alerts_are_counted_and_link_to_their_page(api: Client, world: World) -> None:
    """An outage is one burn alert and one budget alert."""
    world.run(1, errors=100)
    body = get(api, "alerts")
    assert body["count"] == len(body["alerts"])
    alert = next(
        row for row in body["alerts"] if row["title"].startswith("Users API availability: b")
    )
    assert alert["severity"] == "P0"
    assert alert["service"] == "users-api"
    assert alert["url"].endswith("/slo/users-api-availability/")
    assert set(alert) == {
        "id", "severity", "source", "service", "title", "state", "opened_at", "url"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("", "{portal}/i/{incident}"),
        ("/services/web/", "{portal}/services/web/"),
        ("http://prometheus:9090/graph?g0", "http://prometheus:9090/graph?g0"),
        ("http://[", "http://["),
    ],
)
def test_an_alert_links_to_what_explains_it(api: Client, said: str, expected: str) -> None:
    """What a sender calls its page is its own; without one, the incident's page explains."""
    signal = AlertSignal(
        source="generic", dedup_key="a", firing=True, severity="P1", title="Down", url=said
    )
    alert = intake.receive(signal, now=clock.now())
    assert alert is not None
    shown = get(api, "alerts")["alerts"][0]["url"]
    assert shown == expected.format(portal=settings.PORTAL_URL, incident=alert.incident_id)


def test_open_incidents_are_listed_and_count(api: Client, world: World) -> None:
    """Those about which somebody must do something, the worst first; what is over is not."""
    web = Service.objects.create(slug="web", name="Web")
    hidden = Service.objects.create(slug="secret", name="Secret", is_private=True)
    world.run(1)
    slow, over, _, down = (
        lifecycle.declare(Opening(severity, title, service_id=service), now=clock.now(), actor="t")
        for severity, title, service in (
            ("P1", "Web is slow", web.pk),
            ("P0", "Was down", web.pk),
            ("P0", "Hidden", hidden.pk),
            ("P0", "Web is down", web.pk),
        )
    )
    lifecycle.resolve(over.pk, now=clock.now(), actor="t")
    body = get(api, "dashboard")
    assert [row["id"] for row in body["incidents"]] == [down.pk, slow.pk]
    assert body["status"] == "critical"
    assert body["incidents"][0] == {
        "id": down.pk,
        "severity": "P0",
        "status": "triggered",
        "service": "web",
        "title": "Web is down",
        "assigned_to": None,
        "opened_at": iso(down.opened_at),
        "acknowledged_at": None,
        "url": f"{settings.PORTAL_URL}/i/{down.pk}",
    }
    health = api.get("/sre/health")
    assert health.status_code == 503
    assert health.json()["components"]["incidents"]["open"] == {"P0": 1, "P1": 1}
    assert metric_families(api)["sre_incidents_open"] == {
        "P0": 1.0,
        "P1": 1.0,
        "P2": 0.0,
        "P3": 0.0,
    }
    lifecycle.resolve(down.pk, now=clock.now(), actor="t")
    assert get(api, "dashboard")["status"] == "degraded"


def metric_families(api: Client) -> dict[str, dict[str, float]]:
    """Return what `/sre/metrics` counts by severity."""
    text = api.get("/sre/metrics").content.decode()
    return {
        family.name: {
            sample.labels["severity"]: sample.value
            for sample in family.samples
            if "severity" in sample.labels
        }
        for family in text_string_to_metric_families(text)
    }


def test_health_is_503_when_critical(api: Client, world: World) -> None:
    """A P0 alert makes the whole critical."""
    world.run(1, errors=100)
    response = api.get("/sre/health")
    assert response.status_code == 503
    assert response.json()["status"] == "critical"


def test_open_breakers_are_counted(api: Client, world: World) -> None:
    """Each breaker is listed with its process; the open ones are counted."""
    now = world.minute + LAG - MINUTE
    counts = {"calls": 5, "failed_total": 5, "slow_total": 0}
    state = {"state": "open", "failure_rate": 1.0, "since": now, **counts}
    breakers.publish({"db": state}, service="users-api", instance="web:1", now=now)
    body = get(api, "circuit-breakers")
    assert body["open"] == 1
    assert body["circuit_breakers"][0]["name"] == "db"
    assert body["circuit_breakers"][0]["failure_rate"] == 1.0


def test_capacity_lists_services_with_their_p95(api: Client, world: World) -> None:
    """What the portal measures itself is known, the rest is null."""
    world.serve(100)
    world.tick()
    row = get(api, "capacity")["services"][0]
    assert row["service"] == "users-api"
    assert 0 < row["p95_ms"] <= 25
    assert row["cpu"] is None
    assert row["status"] == "healthy"


def test_metrics_are_prometheus_text_unless_json_is_asked_for(api: Client, world: World) -> None:
    """Scrapers get text, `?format=json` and `Accept: application/json` get JSON."""
    world.run(1, good=998, errors=2)
    response = api.get("/sre/metrics")
    assert response["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, sample.labels.get("slo"), sample.labels.get("window")): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }
    assert samples["sre_slo_good_events", "users-api-availability", None] == 998
    assert samples["sre_slo_burn_rate", "users-api-availability", "1h"] == 2.0
    for answer in (
        api.get("/sre/metrics?format=json"),
        api.get("/sre/metrics", headers={"accept": "application/json"}),
    ):
        names = {metric["name"] for metric in answer.json()["metrics"]}
        assert "sre_slo_error_budget_remaining_ratio" in names


def test_metrics_without_data_have_no_sample(api: Client, world: World) -> None:
    """An SLO nobody measured has a state of −1 and no SLI of 0."""
    text = api.get("/sre/metrics").content.decode()
    assert "sre_slo_sli_ratio{" not in text
    assert (
        'sre_slo_state{kind="availability",service="users-api",slo="users-api-availability"} -1.0'
        in text
    )


def test_private_services_are_left_out(api: Client, world: World) -> None:
    """A stranger's dashboard does not know of another team's private service."""
    world.run(1, good=1)
    world.service.is_private = True
    world.service.save()
    assert get(api, "dashboard")["slos"] == []
    assert get(api, "capacity")["services"] == []


def test_breakers_of_private_services_are_left_out(api: Client, world: World) -> None:
    """Processes name the service themselves; of services that the catalog has not, all may know."""
    Service.objects.create(slug="secret", name="Secret", is_private=True)
    now = world.minute + LAG - MINUTE
    counts = {"calls": 5, "failed_total": 5, "slow_total": 0}
    is_open = {"state": "open", "failure_rate": 1.0, "since": now, **counts}
    for slug in ("secret", "elsewhere"):
        breakers.publish({f"{slug}-db": is_open}, service=slug, instance="web:1", now=now)
    for name in ("dashboard", "health", "circuit-breakers", "metrics?format=json", "dashboard-ui"):
        text = api.get(f"/sre/{name}").content.decode()
        assert "elsewhere-db" in text, name
        assert "secret" not in text, name
    assert get(api, "circuit-breakers")["open"] == 1


def test_pages_render_with_and_without_data(client: Client, viewer: User, world: World) -> None:
    """The overview, the dashboard and the SLO pages show figures, and "no data" before any."""
    client.force_login(viewer)
    for path in (
        "/",
        "/sre/dashboard-ui",
        "/slo/",
        "/slo/users-api-latency/",
        "/alerts/?state=all",
    ):
        assert client.get(path).status_code == 200, path
    world.run(2, good=90, errors=10)
    page = client.get("/sre/dashboard-ui").content.decode()
    assert "Users API availability" in page
    assert "Exhausted" in page
    assert "180" in page


def test_the_dashboard_page_is_for_tokens_that_read_too(api: Client) -> None:
    """Whoever fetches figures by a script may fetch their page; strangers sign in."""
    assert "Circuit breakers" in api.get("/sre/dashboard-ui").content.decode()
    del api.defaults["HTTP_AUTHORIZATION"]
    assert api.get("/sre/dashboard-ui").status_code == 302


def test_page_costs_the_same_queries_for_many_objectives(
    client: Client, viewer: User, world: World, django_assert_max_num_queries: Any
) -> None:
    """The SLO list does not ask once per SLO."""
    client.force_login(viewer)
    for number in range(12):
        world.custom(f"extra-{number}", "0.99")
    world.run(1, good=10)
    with django_assert_max_num_queries(16):
        assert client.get("/slo/").status_code == 200
