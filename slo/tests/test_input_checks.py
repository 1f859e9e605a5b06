"""Alerts on the input of SLIs, from what the ticks wrote to the page that says it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from incidents.models import Alert, Severity
from slo.domain.blocks import GAP, Slice
from slo.models import PullState, Sli
from slo.services import input_checks, slices
from slo.services.evaluation import refresh_statuses
from slo.tests.world import MINUTE, NOON, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Return a portal whose SLI `paid` is fed beside another that varies."""
    world = World()
    world.custom("paid", "0.99")
    world.custom("other", "0.99")
    return world


def feed(minutes: int, paid: Slice, *, start: int = 0) -> set[str]:
    """Write minutes of both SLIs, evaluate, check, and return what fires."""
    paid_slot, other = (Sli.objects.get(slug=slug).slot for slug in ("paid", "other"))
    written = {
        NOON + MINUTE * (start + n): {paid_slot: paid, other: Slice(99 - n % 5, 100)}
        for n in range(minutes)
    }
    slices.write(written)
    end = NOON + MINUTE * (start + minutes)
    refresh_statuses(watermark=end, now=end)
    input_checks.check(now=end)
    fired = Alert.objects.firing().filter(source=input_checks.SOURCE)
    return set(fired.values_list("dedup_key", flat=True))


def test_a_stuck_source_is_said_once_and_ends_when_it_moves(world: World, client: Client) -> None:
    """An hour of exactly 3 % opens a P3 alert, which the SLO's page explains."""
    assert feed(59, Slice(97, 100)) == set()
    assert feed(5, Slice(97, 100), start=59) == {"paid:constant"}
    assert feed(1, Slice(97, 100), start=64) == {"paid:constant"}
    alert = Alert.objects.get(dedup_key="paid:constant")
    assert (alert.severity, alert.service, alert.count) == (Severity.P3, world.service, 2)
    client.force_login(User.objects.create_user("viewer", role=Role.VIEWER))
    page = client.get(reverse("slo:slo", args=["paid"])).content.decode()
    assert "Exactly 3 of 100 events were bad in each of the last 60 minutes." in page
    assert feed(1, Slice(99, 100), start=65) == set()


def test_a_silent_source_is_told_with_its_reason_and_settles_nothing(world: World) -> None:
    """What was doubted before the silence is doubted until something is measured again."""
    assert feed(60, Slice(97, 100)) == {"paid:constant"}
    PullState.objects.create(
        sli=Sli.objects.get(slug="paid"), complete_until=NOON, reason="Connection refused."
    )
    assert feed(15, GAP, start=60) == {"paid:constant", "paid:stale"}
    assert "Connection refused." in Alert.objects.get(dedup_key="paid:stale").detail
    assert feed(1, Slice(100, 100), start=75) == set()


def test_counts_that_do_not_fit_are_told(world: World) -> None:
    """A source that said "3 good of 2" within the hour."""
    PullState.objects.create(
        sli=Sli.objects.get(slug="paid"),
        complete_until=NOON,
        insane_at=NOON,
        insane_reason="The source counted 3 good of 2 events; the queries do not fit together.",
    )
    assert feed(3, Slice(9, 10)) == {"paid:does-not-fit"}
    assert feed(1, Slice(9, 10), start=int(timedelta(hours=1) / MINUTE)) == set()


def test_a_portal_without_rounds_says_nothing(world: World) -> None:
    """Nothing was evaluated yet."""
    assert input_checks.check(now=NOON) == 0


def test_checks_cost_the_same_for_many_slis(
    world: World, django_assert_max_num_queries: object
) -> None:
    """Statements do not grow with the SLIs."""
    feed(60, Slice(100, 100))
    world.add_services(5)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        input_checks.check(now=NOON + timedelta(hours=1))
