"""What an incident took of the error budgets of its service, as its postmortem begins with it."""

import pytest

from accounts.models import User
from incidents.models import Incident
from incidents.queries.budget_costs import costs_of
from incidents.services import lifecycle, postmortems
from incidents.services.lifecycle import Opening
from slo.tests.world import World

pytestmark = [pytest.mark.django_db]


def lasting(world: World, *, errors: int, good: int = 90) -> Incident:
    """Return an incident of three minutes in which so many requests failed each minute."""
    opening = Opening("P1", "Users API fails", service_id=world.service.pk)
    incident = lifecycle.declare(opening, now=world.minute, actor="test")
    if good or errors:
        world.run(3, good, errors=errors)
    else:
        for _ in range(3):
            world.tick()
    resolved = lifecycle.resolve(incident.pk, now=world.minute, actor="test")
    world.run(2, 100)
    return resolved


@pytest.fixture
def world(db: None) -> World:
    world = World()
    world.run(2, 100)
    return world


def test_the_ledger_says_what_an_incident_took(world: World) -> None:
    """Of each budget what failed while it lasted; the postmortem says it in words."""
    incident = lasting(world, errors=10)
    costs = {cost.name: cost for cost in costs_of(incident)}
    cost = costs[world.slo("availability").name]
    assert (cost.bad, cost.unit) == (30, "events")
    # 500 + 70 requests were answered in the window: of 670 one in a thousand may fail.
    assert cost.share is not None
    assert cost.share > 1
    ann = User.objects.create_user("ann")
    found = postmortems.begin(incident.pk, now=world.minute, actor=ann, person=ann).postmortem
    assert "30 bad events" in found.budget_cost


def test_nothing_failed_is_not_nothing_measured(world: World) -> None:
    """Silence is no data, and costs nothing that anybody knows of."""
    name = world.slo("availability").name
    well = {cost.name: cost.bad for cost in costs_of(lasting(world, errors=0))}
    silent = {cost.name: cost.bad for cost in costs_of(lasting(world, errors=0, good=0))}
    assert (well[name], silent[name]) == (0, None)


def test_without_a_service_there_is_no_budget(world: World) -> None:
    """Nor before the first evaluation is there a figure."""
    opening = Opening("P1", "The office is dark")
    assert costs_of(lifecycle.declare(opening, now=world.minute, actor="test")) == []
