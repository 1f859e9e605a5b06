"""Maintenance that others' changes of budgets cross: it waits for what they hold before it holds the audit."""

from typing import Any

import pytest

from core.tests.crossing import cross
from incidents.models import Maintenance, Silence
from incidents.services import maintenance
from slo.models import Correction, SliceAdjustment
from slo.services import corrections
from slo.tests.world import MINUTE, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    """Ten minutes of requests have been counted."""
    made = World()
    made.run(10, good=99, errors=1)
    return made


def planned(world: World) -> Maintenance:
    """Plan what has been going on for five minutes."""
    fields: dict[str, Any] = {
        "service": world.service,
        "starts_at": world.minute - 5 * MINUTE,
        "ends_at": world.minute + 60 * MINUTE,
        "comment": "Database upgrade",
        "excludes_budget": True,
    }
    return maintenance.plan(fields=fields, actor="test", now=world.minute)


def called_off(world: World, row: Maintenance) -> Maintenance:
    return maintenance.cancel_maintenance(row, actor="test", now=world.minute + MINUTE)


def test_who_plans_waits_for_budgets_before_the_audit(world: World) -> None:
    planned(world)
    row = SliceAdjustment.objects.filter(slo=world.slo("availability")).get()
    cross(row, lambda: planned(world))
    assert Maintenance.objects.count() == Correction.objects.count() == 2


def test_who_calls_off_waits_for_the_correction_before_the_audit(world: World) -> None:
    row = planned(world)
    correction = Correction.objects.get()
    cross(correction, lambda: called_off(world, row))
    correction.refresh_from_db()
    assert correction.cancelled_at == world.minute + MINUTE
    assert Silence.objects.get().ends_at == world.minute + MINUTE


def test_a_correction_that_somebody_ended_meanwhile_stays_as_it_is(world: World) -> None:
    """It is looked at once it is held; that it is over keeps nobody from calling the work off."""
    row = planned(world)
    correction = Correction.objects.get()
    corrections.cancel(correction, actor="test", now=world.minute)
    called_off(world, row)
    correction.refresh_from_db()
    assert correction.cancelled_at == world.minute
