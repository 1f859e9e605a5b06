"""The linter: what would mislead is said before it does."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.roles import Role
from catalog.tests.cast import person
from core import clock
from slo.domain.counts import Counts
from slo.domain.lint import Facts, Level, expected_events, lint
from slo.models import Sli, Slo
from slo.services import linting, objectives
from slo.tests.world import MINUTE, NOON, World

HEALTHY = Facts(
    objective=Decimal("0.999"),
    period=timedelta(days=30),
    minimum_events=10,
    window=Counts(99_990, 100_000, 1_000),
    history=Counts(999_900, 1_000_000, 10_000),
)


def codes(facts: Facts) -> dict[str, Level]:
    """Return the level of each finding by its code."""
    return {finding.code: finding.level for finding in lint(facts)}


def test_a_sound_objective_has_no_findings() -> None:
    """Enough events, a reachable target and tiers that can fire: nothing to say."""
    assert lint(HEALTHY) == []


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"history": Counts(900, 1000, 10)}, "unreachable", Level.WARNING),
        ({"objective": Decimal("0.9")}, "threshold-above-ceiling", Level.WARNING),
        ({"period": timedelta(days=7)}, "burn-below-one", Level.NOTE),
        ({"window": Counts(100, 100, 1_000)}, "few-events", Level.WARNING),
        ({"window": Counts(10, 10, 1_000)}, "one-event-is-much", Level.WARNING),
        ({"threshold_ms": 210, "bounds_ms": (200, 250)}, "threshold-not-on-bound", Level.ERROR),
        ({"twins": ["other"]}, "duplicate", Level.WARNING),
        (
            {"is_freshness": True, "reports_without_requests": False},
            "freshness-without-clock",
            Level.WARNING,
        ),
        ({"probe_share": Fraction(95, 100)}, "own-probe", Level.WARNING),
    ],
)
def test_each_fault_is_found(changes: dict[str, object], code: str, level: Level) -> None:
    """One changed fact, one finding more, of its level."""
    assert codes(replace(HEALTHY, **changes)).get(code) == level  # type: ignore[arg-type]


def test_nothing_is_held_against_missing_data() -> None:
    """Before the first data only what the configuration says can be judged."""
    assert lint(replace(HEALTHY, window=None, history=None)) == []
    assert expected_events(replace(HEALTHY, window=None), timedelta(hours=1)) is None


def test_the_worst_comes_first() -> None:
    """Errors stand before warnings, warnings before notes."""
    facts = replace(
        HEALTHY, twins=["a"], period=timedelta(days=7), threshold_ms=210, bounds_ms=(200,)
    )
    levels = [finding.level for finding in lint(facts)]
    assert levels == sorted(levels, key=list(Level).index)
    assert len(set(levels)) == 3


@pytest.mark.django_db
@pytest.mark.both_databases
class TestObjectives:
    """Facts from the database."""

    def check(self, slug: str, world: World) -> dict[str, Level]:
        slos = Slo.objects.select_related("sli__service").prefetch_related("versions")
        reports = linting.check([slos.get(slug=slug)], now=world.minute)
        return {finding.code: finding.level for finding in reports[0].findings}

    def test_a_second_sli_on_the_same_rule_is_a_duplicate(self) -> None:
        """Availability and success with the same statuses are one SLI twice."""
        world = World()
        world.custom("twice", "0.999", kind=Sli.Kind.SUCCESS, error_from=500)
        assert "duplicate" in self.check("twice", world)
        assert "duplicate" in self.check("users-api-availability", world)
        assert "duplicate" not in self.check("users-api-success", world)

    def test_history_below_the_target_and_few_events_are_seen_in_slices(self) -> None:
        """One request in ten minutes, failed: the target was never met and hardly counted."""
        world = World()
        world.run(9)
        world.run(1, errors=1)
        found = self.check("users-api-availability", world)
        assert {"unreachable", "few-events", "one-event-is-much"} <= set(found)

    def test_freshness_that_only_requests_report_has_no_clock(self) -> None:
        """Reports in busy minutes only; with a report in a quiet minute it is fine."""
        world = World()
        for good in (1, 0, 1):
            world.serve(good, age_s=1 if good else None)
            world.tick()
        assert "freshness-without-clock" in self.check("users-api-freshness", world)
        world.serve(0, age_s=1)
        world.tick()
        assert "freshness-without-clock" not in self.check("users-api-freshness", world)


@pytest.mark.django_db
class TestCommand:
    """`manage.py slo_lint`, as CI calls it."""

    def run(self, *arguments: str) -> tuple[int, list[dict[str, str]]]:
        out = StringIO()
        try:
            call_command("slo_lint", "--json", *arguments, stdout=out, stderr=StringIO())
        except SystemExit as stop:
            return int(stop.code or 0), json.loads(out.getvalue())
        return 0, json.loads(out.getvalue())

    def test_status_says_whether_something_is_wrong(self) -> None:
        """Notes do not fail, warnings do, and --strict is strict."""
        world = World()
        assert self.run("--slo", "users-api-availability") == (0, [])
        code, found = self.run("--slo", "users-api-freshness")
        assert (code, {row["level"] for row in found}) == (0, {"note"})
        assert self.run("--slo", "users-api-freshness", "--strict")[0] == 1
        slo = world.slo("availability")
        objectives.set_objective(slo=slo, objective=Decimal("0.9"), actor=None, now=NOON + MINUTE)
        code, found = self.run("--slo", slo.slug)
        assert code == 1
        assert found[0] == {
            "slo": slo.slug,
            "code": "threshold-above-ceiling",
            "level": "warning",
            "field": "objective",
            "message": found[0]["message"],
        }

    def test_an_unknown_objective_is_bad_usage(self) -> None:
        """A typing error must not look like a clean bill."""
        with pytest.raises(CommandError) as refused:
            call_command("slo_lint", "--slo", "nobody")
        assert refused.value.returncode == 2
        assert clock.now()


@pytest.mark.django_db
def test_the_api_and_the_admin_say_the_same_on_saving() -> None:
    """Whoever saves a target that cannot be alerted on is told so at once."""
    world = World()
    slo = world.slo("availability")
    admin = APIClient()
    admin.force_login(person("root", Role.ADMIN))
    form = {
        "slug": slo.slug,
        "name": slo.name,
        "sli": slo.sli_id,
        "objective": "0.9",
        "method": "occurrences",
        "window_kind": "rolling",
        "window_days": 30,
        "calendar_period": "month",
        "timezone": "UTC",
        "minimum_events": 10,
        "is_enabled": "on",
        "versions-TOTAL_FORMS": 0,
        "versions-INITIAL_FORMS": 0,
    }
    page = admin.post(
        reverse("admin:slo_slo_change", args=[slo.pk]), form, format="multipart", follow=True
    )
    assert "can never fire" in page.content.decode()
    found = admin.get(f"/api/v1/slos/{slo.slug}/lint/").json()
    assert [row["code"] for row in found] == ["threshold-above-ceiling"]
