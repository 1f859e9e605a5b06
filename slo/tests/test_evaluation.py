"""The tick: figures a hand calculation confirms, whatever ticks are missed or doubled."""

from decimal import Decimal

import pytest

from core.models import JobSlot
from incidents.models import Alert, Incident
from incidents.services import lifecycle
from slo.domain.windows import Window
from slo.models import SliceBlock, Slo
from slo.queries import SliceReader, gaps
from slo.services import evaluation, objectives
from slo.tests.world import LAG, MINUTE, NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def firing() -> set[str]:
    return set(Alert.objects.firing().values_list("dedup_key", flat=True))


def blocks() -> list[tuple[int, object, bytes]]:
    rows = SliceBlock.objects.order_by("resolution", "start")
    return [(r, s, bytes(d)) for r, s, d in rows.values_list("resolution", "start", "data")]


def test_four_slis_count_the_same_requests_by_their_own_rules(world: World) -> None:
    """1,000 requests: 2 server errors, 8 not found, 40 slow."""
    world.serve(950, errors=2, missing=8, slow=40)
    world.tick()
    availability, success = world.status("availability"), world.status("success")
    latency, freshness = world.status("latency"), world.status("freshness")
    assert (availability.good, availability.total) == (998, 1000)
    assert (success.good, success.total) == (990, 1000)
    assert (latency.good, latency.total) == (960, 1000)
    assert (freshness.good, freshness.total) == (1, 1)


def test_budget_and_burn_rate_agree_with_a_hand_calculation(world: World) -> None:
    """99.9 % of 1,000 allows one failure; two leave −100 % and burn twice too fast."""
    world.serve(998, errors=2)
    world.tick()
    status = world.status()
    assert status.allowed == 1
    assert status.budget_remaining == -1.0
    assert {window["rate"] for window in status.burn.values()} == {2.0}
    assert status.sli == 0.998
    assert status.coverage == 1.0
    assert status.watermark == NOON + MINUTE


def test_doubled_tick_changes_nothing(world: World) -> None:
    """Two beats do no harm."""
    world.serve(10)
    now = world.minute + LAG
    assert len(evaluation.tick(now=now).slots) == 1
    before = blocks()
    assert evaluation.tick(now=now) == evaluation.TickResult([], 0)
    assert blocks() == before
    assert JobSlot.objects.count() == 1


def test_missed_minutes_are_evaluated_for_their_own_time(world: World) -> None:
    """Worker and beat down for three minutes: afterwards all slices are as if they had run."""
    world.run(2, good=100)
    for _ in range(3):
        world.serve(90, errors=10)
        world.pass_minutes()
    world.serve(100)
    result = world.tick()
    assert result.slots == [NOON + MINUTE * n for n in (2, 3, 4, 5)]
    status = world.status()
    assert (status.good, status.total) == (570, 600)
    assert (status.measured_minutes, status.expected_minutes) == (6, 6)
    slot = world.slo("availability").sli.slot
    series = SliceReader().series(slot, Window(NOON, NOON + MINUTE * 6), MINUTE)
    assert [counts.bad for _, counts in series] == [0, 0, 10, 10, 10, 0]


def test_everything_down_leaves_a_gap_that_is_no_data(world: World) -> None:
    """Minutes nobody watched count neither as good nor as bad, and show."""
    world.run(3, good=100)
    world.pass_minutes(3)
    world.run(1, good=100)
    status = world.status()
    assert (status.good, status.total) == (400, 400)
    assert (status.measured_minutes, status.expected_minutes) == (4, 7)
    assert status.state == "no_data"
    slot = world.slo("availability").sli.slot
    assert gaps(SliceReader(), slot, Window(NOON, NOON + MINUTE * 7)) == [
        Window(NOON + MINUTE * 3, NOON + MINUTE * 6)
    ]


def test_gap_neither_fires_nor_heals(world: World) -> None:
    """An alert that fires before an outage of the portal still fires after it."""
    world.run(5, good=100)
    world.run(5, good=20, errors=80)
    assert "users-api-availability:burn" in firing()
    world.pass_minutes(30)
    world.tick()
    assert "users-api-availability:burn" in firing()


def test_alert_resolves_when_both_windows_are_good_again(world: World) -> None:
    """The short window ends the alert soon after the fault ends."""
    world.run(10, good=1000)
    world.run(2, good=500, errors=500)
    assert "users-api-availability:burn" in firing()
    objectives.set_objective(
        slo=world.slo("availability"), objective=Decimal("0.9"), actor="test", now=NOON
    )
    world.run(6, good=1000)
    assert "users-api-availability:burn" not in firing()


def test_burn_alert_on_a_tier_one_service_is_p0_and_explains_itself(world: World) -> None:
    """A complete outage pages at once, with window, rate and what is left."""
    world.run(1, errors=100)
    alert = Alert.objects.get(dedup_key="users-api-availability:burn")
    assert alert.severity == "P0"
    assert "1000.0 × too fast (1h)" in alert.title
    assert alert.facts["threshold"] == 14.4
    assert alert.url == "/slo/users-api-availability/"


def test_one_outage_is_one_incident_and_the_spent_budget_another(world: World) -> None:
    """Availability and success burn, budgets are spent: nobody is woken four times for it."""
    world.run(1, errors=100)
    assert len(firing()) == 4
    severities = {row.title.rpartition(": ")[2][:5]: row.severity for row in Incident.objects.all()}
    assert severities == {"burns": "P0", "the e": "P1"}


def test_the_next_outage_calls_while_the_last_one_still_burns_slowly(world: World) -> None:
    """The tiers of a day and of three hold for days after an outage: a ticket, not a page."""
    world.run(1, errors=100)
    outage = Incident.objects.get(title__contains="burns")
    lifecycle.acknowledge(outage.pk, now=world.minute, actor="ann")
    world.run(31, good=100)
    outage.refresh_from_db()
    assert outage.status == "resolved"
    assert "users-api-availability:slow-burn" in firing()
    slow = Incident.objects.get(title__contains="(1d)")
    assert slow.severity == "P2"
    lifecycle.acknowledge(slow.pk, now=world.minute, actor="ann")
    world.run(1, errors=100)
    again = Incident.objects.filter(title__contains="burns", severity="P0", status="triggered")
    assert again.count() == 1
    assert "users-api-availability:slow-burn" in firing()
    slow.refresh_from_db()
    assert slow.status == "acknowledged"


def test_an_exhausted_budget_is_not_said_again_because_somebody_resolved_it(world: World) -> None:
    world.run(1, errors=100)
    spent = Incident.objects.get(title__endswith="exhausted")
    lifecycle.resolve(spent.pk, now=world.minute, actor="ann")
    world.run(3, good=100)
    assert "users-api-availability:budget" not in firing()
    assert Incident.objects.filter(title__endswith="exhausted").count() == 1


def test_alerts_of_an_objective_that_is_gone_end(world: World) -> None:
    """Switched off or deleted, nobody judges it any more: its incident must not stay for ever."""
    world.run(1, errors=100)
    off, gone = world.slo("availability"), world.slo("success")
    Slo.objects.filter(pk=off.pk).update(is_enabled=False)
    world.run(1, errors=100)
    assert firing() == {"users-api-success:burn", "users-api-success:budget"}
    gone.delete()
    world.run(1, errors=100)
    assert firing() == set()
    assert not Incident.objects.open().exists()


def test_three_requests_at_night_page_nobody(world: World) -> None:
    """One failure of three is below the minimum of events."""
    world.run(2, good=1)
    world.run(1, errors=1)
    assert "users-api-availability:burn" not in firing()


def test_edited_target_judges_from_its_moment_on(world: World) -> None:
    """999 ‰ for the first 1,000 requests, 99 % for the next: 1 + 10 failures are allowed."""
    world.run(1, good=1000)
    objectives.set_objective(
        slo=world.slo("availability"), objective=Decimal("0.99"), actor="test", now=world.minute
    )
    world.run(1, good=995, errors=5)
    status = world.status()
    assert status.allowed == 11
    assert status.budget_remaining == pytest.approx(6 / 11)
    assert world.slo("availability").objective == Decimal("0.99")


def test_same_target_makes_no_version(world: World) -> None:
    """Saving without a change leaves the history alone."""
    slo = world.slo("availability")
    assert (
        objectives.set_objective(slo=slo, objective=Decimal("0.999"), actor="test", now=NOON)
        is None
    )
    assert slo.versions.count() == 1


def test_late_data_is_measured_again(world: World) -> None:
    """A sender that was cut off for ten minutes changes the minutes it reports on."""
    world.run(12, good=10)
    world.serve(0, errors=5, at=NOON)
    result = world.tick()
    assert result.remeasured == 1
    assert world.status().bad == 5


def test_silence_of_freshness_reports_is_bad_after_its_grace(world: World) -> None:
    """The service lives, but nobody says how old its data is."""
    world.run(1, good=1)
    for _ in range(12):
        world.serve(1, age_s=None)
        world.tick()
    status = world.status("freshness")
    assert (status.good, status.total) == (1, 3)


def test_stale_data_is_bad(world: World) -> None:
    """Two minutes old is older than the threshold of one."""
    world.serve(1, age_s=120)
    world.tick()
    assert (world.status("freshness").good, world.status("freshness").total) == (0, 1)


def test_first_tick_without_data_is_no_data(world: World) -> None:
    """A new portal claims nothing."""
    world.tick()
    status = world.status()
    assert status.state == "no_data"
    assert (status.sli, status.budget_remaining, status.coverage) == (None, None, None)
    assert Alert.objects.count() == 0


def test_exhausted_budget_is_one_alert_however_long_it_lasts(world: World) -> None:
    """P1 once, not a page every tick."""
    world.run(4, good=90, errors=10)
    assert Alert.objects.filter(dedup_key="users-api-availability:budget").count() == 1
    assert world.status().state == "exhausted"


def test_tick_costs_the_same_queries_for_any_traffic(
    world: World, django_assert_max_num_queries: object
) -> None:
    """The number of queries does not follow the number of requests."""
    world.run(2, good=10)
    world.serve(100_000, errors=50, missing=50, slow=50)
    with django_assert_max_num_queries(90):  # type: ignore[operator]
        world.tick()
