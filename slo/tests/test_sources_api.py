"""Sources and backfills as people and programs see them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from core.clock import floor_minute, now
from core.models import AuditEntry
from slo.models import BackfillJob, PullState, Sli, Source
from slo.services.source_health import open_credentials
from slo.tests.world import World

pytestmark = pytest.mark.django_db
PROM = {"slug": "prom", "kind": "prometheus", "url": "https://prom.example.org"}
SECRET = "s3cr3t-token"


@pytest.fixture
def api() -> Client:
    """Return a manager's client."""
    return signed_in(Role.MANAGER)


def fields_of(problem: Any) -> str:
    return str(problem["errors"])


def test_secrets_go_in_and_never_come_out(api: Client) -> None:
    """Neither the answer nor the list, the row or the audit holds the token; the source has it."""
    made = send(api, "post", "sources/", PROM | {"credentials": {"token": SECRET}}, status=201)
    assert (made["authentication"], made["state"]) == ("bearer", "waiting")
    assert "credentials" not in made
    source = Source.objects.get()
    listed = api.get("/api/v1/sources/").content.decode()
    audited = str(list(AuditEntry.objects.values()))
    assert SECRET not in listed + source.credentials + audited
    assert open_credentials(source) == {"token": SECRET}


def test_a_secret_is_not_sent_to_another_address(api: Client) -> None:
    """With a new address the stored secret goes; with the same one it stays."""
    send(api, "post", "sources/", PROM | {"credentials": {"token": SECRET}}, status=201)
    said = send(api, "patch", "sources/prom/", {"delay_minutes": 2}, status=200)
    assert said["authentication"] == "bearer"
    said = send(api, "patch", "sources/prom/", {"url": "https://evil.example.org"}, status=200)
    assert said["authentication"] == "none"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (PROM | {"url": ""}, "url"),
        (PROM | {"url": "ftp://prom.example.org"}, "url"),
        (PROM | {"url": "http://169.254.169.254"}, "url"),
        (PROM | {"region": "eu-central-1"}, "region"),
        (PROM | {"delay_minutes": 61}, "delay_minutes"),
        (PROM | {"credentials": {"username": "a"}}, "password"),
        (PROM | {"credentials": {"token": "a\nb"}}, "token"),
        (PROM | {"credentials": {"key": "a"}}, "key"),
        (PROM | {"colour": "red"}, "colour"),
        ({"slug": "aws", "kind": "cloudwatch", "url": "https://a.example.org"}, "url"),
        ({"slug": "aws", "kind": "cloudwatch", "credentials": {"token": "a"}}, "credentials"),
    ],
)
def test_a_source_that_could_not_be_asked_is_refused(api: Client, body: Any, field: str) -> None:
    """The refusal names the field."""
    assert field in fields_of(send(api, "post", "sources/", body, status=400))
    assert not Source.objects.exists()


def test_a_source_in_use_is_kept(api: Client) -> None:
    """Deleting it is a conflict while an SLI is measured by it."""
    sli = pulled()
    assert "SLIs" in send(api, "delete", "sources/prom/", status=409)["detail"]
    Sli.objects.filter(pk=sli.pk).update(source=None)
    send(api, "delete", "sources/prom/", status=204)


def test_a_viewer_reads_and_changes_nothing() -> None:
    """Sources are shown to viewers; managers make them."""
    viewer = signed_in(Role.VIEWER)
    assert viewer.get("/api/v1/sources/").status_code == 200
    send(viewer, "post", "sources/", PROM, status=403)
    send(viewer, "post", "backfills/", {}, status=403)


def pulled() -> Sli:
    """Make a source with an SLI."""
    source = Source.objects.create(**PROM)
    slo = World().custom(
        "shop",
        "0.99",
        kind=Sli.Kind.RATIO,
        source=source,
        good_query="good_total",
        total_query="all_total",
    )
    return slo.sli


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (
            {"kind": "ratio", "good_query": "rate(a_total[1m])", "total_query": "b_total"},
            "good_query",
        ),
        (
            {"kind": "ratio", "good_query": "a_total", "total_query": "increase(b[5m])"},
            "total_query",
        ),
        ({"kind": "ratio", "good_query": "a_total"}, "total_query"),
        ({"kind": "latency", "threshold_ms": 200, "total_query": "a_bucket"}, "total_query"),
        ({"kind": "freshness", "freshness_source": "a", "threshold_s": 60}, "source"),
        ({"kind": "time_slices", "value_query": "a", "comparison_value": "1"}, "comparison"),
        ({"kind": "probe", "source": None}, "probe_url"),
        ({"kind": "probe", "source": None, "probe_url": "http://10.0.0.1/"}, "probe_url"),
        (
            {
                "kind": "probe",
                "source": None,
                "probe_url": "https://a.example.org/",
                "probe_statuses": "ok",
            },
            "probe_statuses",
        ),
        ({"kind": "ratio", "good_query": "a", "total_query": "b", "source": "nobody"}, "source"),
    ],
)
def test_an_sli_that_could_not_be_measured_is_refused(
    api: Client, changes: Any, field: str, settings: Any
) -> None:
    """Every kind is checked when it is saved, and the refusal names the field."""
    settings.EMBEDDED = False
    World()
    Source.objects.create(**PROM)
    body = {"slug": "shop", "service": "users-api", "source": "prom"} | changes
    assert field in fields_of(send(api, "post", "slis/", body, status=400))


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "success", "source": "prom", "bad_query": "a_total", "total_query": "b_total"},
        {"kind": "latency", "source": "prom", "threshold_ms": 300, "total_query": "a_seconds"},
        {
            "kind": "time_slices",
            "source": None,
            "value_query": "p95_ms",
            "comparison": "lt",
            "comparison_value": "200",
        },
        {"kind": "probe", "source": None, "probe_url": "https://shop.example.org/health"},
    ],
)
def test_slis_of_every_pulled_kind_are_made(api: Client, body: Any) -> None:
    """What was sent is what is shown."""
    World()
    Source.objects.create(**PROM)
    said = send(api, "post", "slis/", {"slug": "shop", "service": "users-api"} | body, status=201)
    assert {name: said[name] for name in body if name != "comparison_value"} == {
        name: value for name, value in body.items() if name != "comparison_value"
    }


def test_a_backfill_shows_its_progress_and_can_be_ended(api: Client) -> None:
    """It is made, looked at, and cancelled once; a second one at a time is a conflict."""
    sli = pulled()
    end = floor_minute(now())
    body = {
        "sli": sli.slug,
        "start_at": (end - timedelta(hours=2)).isoformat(),
        "end_at": (end - timedelta(hours=1)).isoformat(),
    }
    made = send(api, "post", "backfills/", body, status=201)
    assert (made["state"], made["minutes"], made["progress"]) == ("waiting", 60, 0)
    send(api, "post", "backfills/", body, status=409)
    BackfillJob.objects.update(done_until=end - timedelta(minutes=75))
    shown = api.get(f"/api/v1/backfills/{made['id']}/").json()
    assert (shown["minutes_done"], shown["progress"]) == (45, 0.75)
    said = send(api, "post", f"backfills/{made['id']}/cancel/", status=200)
    assert said["state"] == "cancelled"
    send(api, "post", f"backfills/{made['id']}/cancel/", status=409)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start_at": "2020-01-01T00:00:00Z"}, "start_at"),
        ({"end_at": "2020-01-01T00:00:00Z"}, "end_at"),
        ({"sli": "users-api-availability"}, "sli"),
        ({"sli": "nobody"}, "sli"),
        ({"speed": 2}, "speed"),
    ],
)
def test_a_backfill_that_cannot_be_is_refused(api: Client, changes: Any, field: str) -> None:
    """The refusal names the field."""
    sli = pulled()
    at = now()
    body = {
        "sli": sli.slug,
        "start_at": (at - timedelta(hours=2)).isoformat(),
        "end_at": (at - timedelta(hours=1)).isoformat(),
    }
    assert field in fields_of(send(api, "post", "backfills/", body | changes, status=400))


def test_the_page_shows_sources_gaps_and_backfills(api: Client) -> None:
    """State, last error, complete until, the reason of a gap and the progress are on one page."""
    sli = pulled()
    at = floor_minute(now())
    Source.objects.update(failing_since=at, last_error="refused the connection", complete_until=at)
    PullState.objects.create(sli=sli, complete_until=at, gap_since=at, reason="no such counter")
    hour = timedelta(hours=1)
    BackfillJob.objects.create(
        sli=sli, start_at=at - hour, end_at=at, done_until=at - hour / 2, next_at=at
    )
    page = api.get("/slo/sources/").content.decode()
    for text in ("prom.example.org", "Failing", "refused the connection", "no such counter"):
        assert text in page
    assert "30 of 60 min" in page


def test_managers_edit_sources_in_the_admin(api: Client) -> None:
    """The form goes through the service: the token is encrypted and not shown again."""
    form = PROM | {"delay_minutes": "1", "is_enabled": "on", "token": SECRET}
    answer = api.post("/admin/slo/source/add/", form)
    assert answer.status_code == 302, answer.content.decode()
    source = Source.objects.get()
    assert open_credentials(source) == {"token": SECRET}
    page = api.get(f"/admin/slo/source/{source.pk}/change/").content.decode()
    assert "bearer" in page
    assert SECRET not in page
    refused = api.post(
        "/admin/slo/source/add/", form | {"slug": "b", "url": "http://169.254.169.254"}
    )
    assert refused.status_code == 200
    assert Source.objects.count() == 1
