"""Weekly and monthly reports, and what was known when."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import bearer, person, token_of
from slo.domain.blocks import Slice
from slo.models import Round, Slo
from slo.services import evaluation, objectives, slices
from slo.tests.world import MINUTE, NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
WEEK = "2026-04-27"


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon of Sunday, 3 May 2026."""
    return World()


@pytest.fixture
def page() -> Client:
    """Return a viewer's browser."""
    client = Client()
    client.force_login(person("viewer", Role.VIEWER))
    return client


def measured(slo: Slo, *minutes: Slice, at: Any = NOON) -> None:
    slices.write({at + MINUTE * n: {slo.sli.slot: s} for n, s in enumerate(minutes)})


def report(page: Client, **query: str) -> Any:
    answer = page.get("/slo/reports/", {"format": "json", **query})
    assert answer.status_code == 200, answer.content
    return answer.json()


def line(body: Any, slug: str) -> Any:
    return next(row for row in body["slos"] if row["slug"] == slug)


def test_a_report_judges_its_period_alone(world: World, page: Client) -> None:
    """The week of 3 May and the month of May share a Sunday; each counts its own days."""
    slo = world.custom("kept", "0.99")
    measured(slo, Slice(90, 100), at=NOON - timedelta(days=4))
    measured(slo, Slice(100, 100), Slice(99, 100))
    evaluation.refresh_statuses(watermark=NOON + MINUTE * 2, now=NOON + MINUTE * 3)
    week = line(report(page, date="2026-05-03"), "kept")
    month = line(report(page, period="month", date="2026-05-31"), "kept")
    assert (week["good"], week["total"], week["bad"], week["allowed"]) == (289, 300, 11, 3.0)
    assert (month["good"], month["total"]) == (199, 200)
    assert month["budget_used"] == pytest.approx(0.5)
    assert month["sli_before"] == pytest.approx(0.9)


def test_targets_in_force_judge_and_lack_of_data_is_no_verdict(world: World, page: Client) -> None:
    """A missed objective comes first; one without data is neither met nor missed."""
    slo = world.custom("changed", "0.99")
    measured(slo, Slice(95, 100), Slice(95, 100))
    objectives.set_objective(slo=slo, objective=Decimal("0.9"), actor="t", now=NOON + MINUTE)
    evaluation.refresh_statuses(watermark=NOON + MINUTE * 2, now=NOON + MINUTE * 3)
    body = report(page, date="2026-05-03")
    assert line(body, "changed")["allowed"] == 11.0
    assert line(body, "changed")["verdict"] == "met"
    assert line(body, "users-api-latency")["verdict"] == "no_data"
    assert line(body, "users-api-latency")["sli"] is None
    assert body["complete"] is False
    assert body["verdicts"] == {"met": 1, "no data": 4}


def test_a_week_begins_on_monday_and_a_missed_one_comes_first(world: World, page: Client) -> None:
    """A finished week says so, and how often it alerted."""
    slo = world.custom("missed", "0.99")
    sunday = NOON - timedelta(days=6, hours=13)
    measured(slo, *[Slice(50, 100)] * 60, at=sunday)
    evaluation.refresh_statuses(watermark=sunday + MINUTE * 60, now=NOON)
    evaluation.refresh_statuses(watermark=NOON, now=NOON)
    body = report(page, date="2026-04-25")
    assert (body["start"], body["end"]) == ("2026-04-20T00:00:00Z", "2026-04-27T00:00:00Z")
    assert body["complete"] is True
    assert body["slos"][0]["slug"] == "missed"
    assert line(body, "missed")["verdict"] == "missed"


def test_a_report_is_a_page_a_table_and_a_download(world: World, page: Client) -> None:
    """The same figures three ways; tokens that read may fetch them."""
    world.run(2, 100)
    html = page.get("/slo/reports/", {"date": "2026-05-03"})
    assert html.status_code == 200
    assert "Users API" in html.content.decode()
    # No objective missed is zero of them, not a lack of data.
    assert dict(html.context["verdicts"])["missed"] == 0
    cards = html.content.decode().split("Missed")[1]
    assert "no data" not in cards[: cards.index("No data")]
    answer = page.get("/slo/reports/", {"date": "2026-05-03", "format": "csv"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert {row["slug"] for row in rows} == set(Slo.objects.values_list("slug", flat=True))
    assert next(r for r in rows if r["slug"] == "users-api-availability")["good"] == "200"
    _, secret = token_of(person("robot", Role.VIEWER), Scope.READ)
    assert Client().get("/slo/reports/?format=json", headers=bearer(secret)).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"period": "decade"}, "period"),
        ({"date": "yesterday"}, "date"),
        ({"date": "2026-02-31"}, "date"),
        ({"date": "0001-01-01"}, "date"),
        ({"format": "xml"}, "format"),
    ],
)
def test_a_wrong_question_is_refused_by_name(
    world: World, page: Client, query: dict[str, str], field: str
) -> None:
    """400, and which parameter was wrong."""
    answer = page.get("/slo/reports/", query)
    assert answer.status_code == 400
    assert field in answer.content.decode()


def test_history_tells_what_was_known_and_what_is_counted_now(world: World, page: Client) -> None:
    """Late data changes what is counted, never what was known."""
    world.run(3, 100)
    known = Round.objects.order_by("watermark")[1]
    world.serve(0, errors=50, at=NOON)
    world.tick()
    at = known.evaluated_at.replace(tzinfo=None).isoformat()
    answer = page.get("/slo/users-api-availability/", {"at": at})
    assert answer.status_code == 200
    assert answer.context["known"].total == 200
    assert answer.context["counted"].total == 250
    assert page.get("/slo/users-api-availability/", {"at": "soon"}).status_code == 200
    assert "Give a time" in page.get("/slo/users-api-availability/?at=soon").content.decode()


def test_the_list_is_exported_with_its_filters(world: World, page: Client) -> None:
    before = page.get("/slo/?format=csv").getvalue().decode()
    assert {row["state"] for row in csv.DictReader(io.StringIO(before))} == {"no_data"}
    world.run(2, 100, errors=10)
    text = page.get("/slo/?format=csv&q=users-api").getvalue().decode()
    rows = {row["slug"]: row for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 4
    row = rows["users-api-availability"]
    assert (row["good"], row["total"], row["objective"]) == ("200", "220", "0.999")
    assert float(row["burn_rate_1h"]) == pytest.approx(20 / 220 / 0.001)
    assert (
        "users-api-latency" not in page.get("/slo/?format=csv&state=exhausted").getvalue().decode()
    )


def test_an_unchanged_poll_of_the_list_costs_one_read(
    world: World, page: Client, django_assert_num_queries: Any
) -> None:
    """304 after one indexed read besides the session's; a new round, or another question, is sent."""
    world.run(2, 100)
    poll = {"HX-Request": "true"}
    first = page.get("/slo/", headers=poll)
    assert first.status_code == 200
    same = {**poll, "If-None-Match": first["ETag"]}
    with django_assert_num_queries(3):
        assert page.get("/slo/", headers=same).status_code == 304
    assert page.get("/slo/?q=latency", headers=same).status_code == 200
    assert "ETag" not in page.get("/slo/")
    world.run(1, 100)
    assert page.get("/slo/", headers=same).status_code == 200
