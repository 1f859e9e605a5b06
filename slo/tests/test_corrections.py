"""Corrections: what they change, when they end, and that figures agree with a recount."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from core.errors import Conflict
from core.models import AuditEntry
from incidents.models import Silence
from incidents.services import maintenance
from incidents.services.silences import end_silence
from slo.models import Correction, SliceAdjustment
from slo.queries import figures
from slo.services import corrections, objectives
from slo.services.corrections import Effect
from slo.tests.world import MINUTE, NOON, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def correct(world: World, **fields: Any) -> tuple[Correction, list[Effect]]:
    """Make a correction of the availability at the world's time."""
    values = {
        "slo": world.slo("availability"),
        "mode": Correction.Mode.EXCLUDE,
        "starts_at": NOON,
        "ends_at": NOON + MINUTE * 10,
        "reason": "maintenance",
        **fields,
    }
    return corrections.create(actor="test", now=world.minute, **values)


def counts(world: World) -> tuple[int, int, int, int]:
    """Return good, total, measured and expected of the availability's own window."""
    found = figures.of(world.slo("availability"))
    assert found is not None
    return found.good, found.total, found.measured_minutes, found.expected_minutes


@pytest.mark.parametrize(
    ("mode", "cap", "good", "total", "measured"),
    [
        (Correction.Mode.EXCLUDE, None, 90, 100, 1),
        (Correction.Mode.COUNT_AS_GOOD, None, 290, 300, 3),
        (Correction.Mode.CAP, "0.05", 280, 300, 3),
        (Correction.Mode.CAP, "0.5", 270, 300, 3),
    ],
)
def test_a_correction_judges_minutes_anew(
    world: World, mode: str, cap: str | None, good: int, total: int, measured: int
) -> None:
    """Of three minutes with 10 bad of 100 the first two are corrected."""
    world.run(3, 90, errors=10)
    correct(world, mode=mode, cap=cap, ends_at=NOON + MINUTE * 2)
    world.tick()
    found = counts(world)
    assert found[:2] == (good, total)
    assert found[2] == measured


def test_an_excluded_gap_is_not_expected(world: World) -> None:
    """Maintenance without data leaves coverage whole; the same gap uncorrected does not."""
    world.run(2, 100)
    world.tick()
    world.run(1, 100)
    assert counts(world)[2:] == (3, 4)
    correct(world, starts_at=NOON + MINUTE * 2, ends_at=NOON + MINUTE * 3)
    world.run(1, 100)
    assert counts(world)[2:] == (4, 4)


def test_minutes_still_to_come_are_corrected_as_they_are_measured(world: World) -> None:
    """A window announced beforehand works, late data in it too."""
    world.run(1, 100)
    correct(world, starts_at=NOON + MINUTE, ends_at=NOON + MINUTE * 3)
    world.run(2, 50, errors=50)
    assert counts(world)[:2] == (100, 100)
    world.run(4, 100)
    world.serve(0, errors=7, at=NOON + MINUTE)
    world.tick()
    assert counts(world)[:2] == (500, 500)


def test_what_follows_maintenance_that_was_ended_early_counts(world: World) -> None:
    """Planned for ten minutes, over after two: the outage in the third is one."""
    fields = {
        "service": world.service,
        "starts_at": NOON + MINUTE,
        "ends_at": NOON + MINUTE * 11,
        "comment": "x",
        "excludes_budget": True,
    }
    maintenance.plan(fields=fields, actor="test", now=NOON)
    world.run(1, 100)
    world.run(2, 50, errors=50)
    end_silence(Silence.objects.get(), actor="test", now=NOON + MINUTE * 3)
    world.run(1, 10, errors=90)
    world.run(3, 100)
    assert counts(world)[:2] == (410, 500)


def test_withdrawing_undoes_what_was_corrected_before_an_early_end_was_heeded(world: World) -> None:
    """Two hours were corrected as planned; then it is known that only one minute was maintenance."""
    fields = {
        "service": world.service,
        "starts_at": NOON,
        "ends_at": NOON + MINUTE * 120,
        "comment": "x",
        "excludes_budget": True,
    }
    maintenance.plan(fields=fields, actor="test", now=NOON)
    world.run(62, 90, errors=10)
    assert counts(world)[:2] == (0, 0)
    Silence.objects.update(ends_at=NOON + MINUTE)
    corrections.cancel(Correction.objects.get(), actor="test", now=world.minute, entirely=True)
    world.run(1, 90, errors=10)
    assert SliceAdjustment.objects.count() == 0
    assert counts(world)[:2] == (63 * 90, 63 * 100)


def test_a_preview_says_what_creating_does(world: World) -> None:
    """Before and after of the preview are those of the correction made, which are the next tick's."""
    world.run(5, 90, errors=10)
    fields = {
        "slo": world.slo("availability"),
        "mode": Correction.Mode.EXCLUDE,
        "starts_at": NOON,
        "ends_at": NOON + MINUTE * 2,
        "reason": "maintenance",
    }
    draft = corrections.draft(actor="test", **fields)
    (seen,) = corrections.preview(draft, now=world.minute)
    assert SliceAdjustment.objects.count() == 0
    _, (made,) = corrections.create(actor="test", now=world.minute, **fields)
    assert (seen.before, seen.after) == (made.before, made.after)
    assert (made.before.good, made.before.total) == (450, 500)
    assert (made.after.good, made.after.total) == (270, 300)
    world.tick()
    assert counts(world)[:2] == (270, 300)


def test_a_correction_of_a_service_concerns_each_of_its_objectives(world: World) -> None:
    """One window of maintenance, four objectives."""
    world.run(2, 90, errors=10)
    _, effects = correct(world, slo=None, service=world.service)
    assert len(effects) == 4
    world.run(1, 100)
    assert counts(world)[:2] == (0, 0)


def test_cancelling_ends_it_and_withdrawing_undoes_it(world: World) -> None:
    """From now on, or as if it had never been; the audit keeps both."""
    world.run(2, 90, errors=10)
    row, _ = correct(world, ends_at=NOON + timedelta(days=1))
    world.run(2, 90, errors=10)
    assert counts(world)[:2] == (0, 0)
    row = corrections.cancel(row, actor="test", now=world.minute)
    world.run(2, 90, errors=10)
    assert counts(world)[:2] == (180, 200)
    with pytest.raises(Conflict):
        corrections.cancel(row, actor="test", now=world.minute)
    corrections.cancel(row, actor="test", now=world.minute, entirely=True)
    world.run(1, 90, errors=10)
    assert counts(world)[:2] == (630, 700)
    assert SliceAdjustment.objects.count() == 0
    acts = set(AuditEntry.objects.values_list("act", flat=True))
    assert {"slo.correction_created", "slo.correction_cancelled"} <= acts
    assert "slo.correction_withdrawn" in acts


def test_a_repetition_follows_the_wall_clock(world: World) -> None:
    """An RRULE of every five minutes is refused, an hourly one corrects each hour's minutes."""
    with pytest.raises(ValidationError) as refused:
        correct(world, rule="FREQ=MINUTELY;INTERVAL=5")
    assert "rule" in refused.value.message_dict
    correct(world, ends_at=NOON + MINUTE, rule="FREQ=HOURLY")
    world.run(2, 90, errors=10)
    world.pass_minutes(58)
    world.run(2, 90, errors=10)
    assert counts(world)[:2] == (180, 200)


def test_corrections_and_versions_are_counted_together(world: World) -> None:
    """Each part of a window is judged by its own objective, corrected."""
    world.run(2, 90, errors=10)
    objectives.set_objective(
        slo=world.slo("availability"), objective=Decimal("0.9"), actor="test", now=world.minute
    )
    world.run(2, 90, errors=10)
    correct(world, starts_at=NOON + MINUTE, ends_at=NOON + MINUTE * 3)
    world.run(1, 100)
    found = figures.of(world.slo("availability"))
    assert found is not None
    assert (found.good, found.total) == (280, 300)
    first = world.slo("availability").versions.all()[0].objective
    assert found.own.allowed == 100 * (1 - Fraction(first)) + Fraction(200, 10)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"ends_at": NOON}, "ends_at"),
        ({"mode": "cap"}, "cap"),
        ({"mode": "cap", "cap": "1"}, "cap"),
        ({"rule": "FREQ=SOMETIMES"}, "rule"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"slo": None}, "slo"),
        ({"mode": "forgive"}, "mode"),
    ],
)
def test_rubbish_is_refused_by_field(world: World, fields: dict[str, Any], wrong: str) -> None:
    """Nothing is stored, and the message names the field."""
    with pytest.raises(ValidationError) as refused:
        correct(world, **fields)
    assert wrong in refused.value.message_dict
    assert Correction.objects.count() == 0
