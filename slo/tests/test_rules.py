"""Threshold rules: the operations guide's alerts, and what they must not do."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from accounts.roles import Role
from catalog.tests.cast import person
from core.models import AuditEntry
from incidents.models import Alert
from slo.domain.rules import Comparison, Condition, Metric, Reading, Verdict, shown, verdict
from slo.models import ThresholdRule
from slo.services import readings, rules
from slo.tests.world import MINUTE, World
from telemetry.services.breakers import publish

CONDITION = Condition(Comparison.ABOVE, Decimal("0.05"), minimum_events=50)
RULES = "/api/v1/threshold-rules/"


def signed_in(role: Role) -> APIClient:
    """Return a client of somebody with that role."""
    client = APIClient()
    client.force_login(person(f"the-{role}", role))
    return client


def firing() -> dict[str, str]:
    rows = Alert.objects.firing().filter(source=rules.SOURCE)
    return dict(rows.values_list("dedup_key", "severity"))


def say(world: World, **changes: object) -> None:
    """Report how the database's breaker of the Users API stands now."""
    at = world.minute
    state = {"state": "closed", "failure_rate": 0.0, "calls": 9, "since": at}
    counts = {"failed_total": 0, "slow_total": 0}
    publish({"database": state | counts | changes}, service="users-api", instance="w:1", now=at)


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def evaluate(world: World) -> dict[str, str]:
    """Evaluate for the windows that end now, and return what fires by key."""
    rules.evaluate(end=world.minute, now=world.minute + MINUTE)
    return firing()


def test_exactly_the_threshold_does_not_fire() -> None:
    """5 % of requests failing is not above 5 %; one more request is."""
    assert verdict(CONDITION, Reading(Fraction(5, 100), 100)) is Verdict.FINE
    assert verdict(CONDITION, Reading(Fraction(6, 100), 100)) is Verdict.FIRING
    below = Condition(Comparison.BELOW, Decimal("0.99"))
    assert verdict(below, Reading(Fraction(99, 100), 100)) is Verdict.FINE


def test_few_events_hold_but_no_data_is_unknown() -> None:
    """Three failures at night fire nothing, and nothing measured is neither fine nor firing."""
    assert verdict(CONDITION, Reading(Fraction(1), 3)) is Verdict.UNKNOWN
    assert verdict(CONDITION, Reading(Fraction(0), 3)) is Verdict.FINE
    assert verdict(CONDITION, Reading(None)) is Verdict.UNKNOWN


@given(
    failed=st.integers(0, 10_000), total=st.integers(1, 10_000), limit=st.decimals(0, 1, places=6)
)
def test_firing_above_and_below_exclude_each_other(failed: int, total: int, limit: Decimal) -> None:
    """No value is both above and below a threshold."""
    reading = Reading(Fraction(failed, total), total)
    said = {verdict(Condition(side, limit), reading) for side in Comparison}
    assert said != {Verdict.FIRING}


def test_values_are_shown_with_their_unit() -> None:
    """Shares in percent, times in milliseconds, counts as they are."""
    assert shown(Metric.ERROR_RATE, Fraction(1, 8)) == "12.5 %"
    assert shown(Metric.P95_MS, Decimal(2000)) == "2,000 ms"
    assert shown(Metric.BREAKERS_OPEN, Fraction(2)) == "2"


@pytest.mark.django_db
@pytest.mark.both_databases
class TestEvaluation:
    """Rules through the database."""

    def test_a_new_portal_has_the_guides_rules(self) -> None:
        """Critical: availability, error rate, database, breaker; warning: time, CPU, memory, queries."""
        found = {(rule.severity, rule.metric) for rule in ThresholdRule.objects.all()}
        assert found == {
            ("P0", "availability"),
            ("P0", "error_rate"),
            ("P0", "database_failures"),
            ("P0", "breakers_open"),
            ("P1", "p95_ms"),
            ("P1", "cpu"),
            ("P1", "memory"),
            ("P1", "slow_queries"),
        }

    def test_an_outage_opens_both_request_alerts_and_they_end_with_it(self, world: World) -> None:
        """Six of a hundred fail: availability 94 %, error rate 6 %; five good minutes end both."""
        world.run(1, good=94, errors=6)
        assert evaluate(world) == {"availability:users-api": "P0", "error-rate:users-api": "P0"}
        world.run(5, good=100)
        assert evaluate(world) == {}

    def test_silence_ends_no_alert(self, world: World) -> None:
        """Without requests nothing is known, so what fired goes on."""
        world.run(1, good=50, errors=50)
        before = evaluate(world)
        world.pass_minutes(30)
        assert evaluate(world) == before

    def test_failed_and_slow_database_calls_and_an_open_breaker(self, world: World) -> None:
        """What the breaker in front of the database saw in the last five minutes counts."""
        say(world, failed_total=3, slow_total=1, state="open")
        world.pass_minutes()
        say(world, failed_total=3, slow_total=1, state="open")
        assert evaluate(world) == {
            "breaker-open:users-api": "P0",
            "database-failures:users-api": "P0",
            "slow-queries:users-api": "P1",
        }
        world.pass_minutes(6)
        say(world, failed_total=3, slow_total=1)
        assert evaluate(world) == {}

    def test_slow_answers_open_the_response_time_alert(self, world: World) -> None:
        """The 95th percentile of a minute of one-second answers passes a limit of 500 ms."""
        ThresholdRule.objects.filter(slug="response-time").update(threshold=500)
        world.run(1, slow=60)
        assert evaluate(world) == {"response-time:users-api": "P1"}

    def test_other_apps_add_what_they_measure(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A registered reader answers for its metric; without one nothing fires."""
        assert evaluate(world) == {}
        reading = {world.service.pk: Reading(Fraction(9, 10))}
        monkeypatch.setitem(readings._READERS, Metric.CPU, lambda *_: reading)
        assert evaluate(world) == {"cpu:users-api": "P1"}
        ThresholdRule.objects.filter(slug="cpu").update(is_enabled=False)
        assert evaluate(world) == {}


@pytest.mark.django_db
class TestEditing:
    """Rules by API and page."""

    def test_managers_edit_and_viewers_read(self, world: World) -> None:
        """A rule is made, changed and deleted by a manager; a viewer may look."""
        body = {"slug": "busy", "name": "Busy", "metric": "cpu", "threshold": "0.5"}
        manager, viewer = signed_in(Role.MANAGER), signed_in(Role.VIEWER)
        assert viewer.post(RULES, body).status_code == 403
        assert manager.post(RULES, body).status_code == 201
        changed = manager.patch(f"{RULES}busy/", {"threshold": "0.6"})
        assert changed.json()["threshold"] == "0.600000"
        assert viewer.get(f"{RULES}?metric=cpu&search=busy").json()["results"][0]["slug"] == "busy"
        assert manager.delete(f"{RULES}busy/").status_code == 204
        acts = AuditEntry.objects.filter(act__startswith="slo.rule_").order_by("seq")
        assert [entry.act.split("_")[1] for entry in acts] == ["created", "changed", "deleted"]

    def test_bad_values_name_their_field(self) -> None:
        """A threshold below zero, an unknown metric and an unknown field are refused by name."""
        manager = signed_in(Role.MANAGER)
        body = {"slug": "x", "name": "X", "metric": "cpu", "threshold": "1"}
        for wrong in ({"colour": "red"}, {"metric": "mood"}, {"threshold": "-1"}):
            answer = manager.post(RULES, body | wrong)
            assert answer.status_code == 400
            assert set(answer.json()["errors"]) == set(wrong), answer.json()

    def test_the_page_shows_figures_verdicts_and_the_objectives_on_the_same_ground(
        self, world: World
    ) -> None:
        """A reader sees why a rule fires, and which burn alert says the same more finely."""
        page = signed_in(Role.VIEWER).get("/slo/rules/")
        assert page.status_code == 200
        assert "Users API availability" in page.content.decode()
        assert "no data; below 99 % would fire" in page.content.decode()
