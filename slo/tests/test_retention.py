"""What is forgotten, and that no figure changes by it."""

from datetime import datetime, timedelta

import pytest

from core.models import JobSlot
from slo.domain.blocks import HOUR, MINUTE, Slice
from slo.models import Round, SliceBlock
from slo.queries import figures
from slo.services import evaluation, retention, slices
from slo.tests.world import NOON, World

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ONE = timedelta(minutes=1)


@pytest.fixture
def world() -> World:
    """Return a portal with the Users API at noon."""
    return World()


def starts(resolution: int) -> list[datetime]:
    rows = SliceBlock.objects.filter(resolution=resolution).order_by("start")
    return list(rows.values_list("start", flat=True))


def test_minutes_go_by_whole_hours_and_the_figures_stay(world: World) -> None:
    """A 60-day window counts the same before and after its old minutes are forgotten."""
    slo = world.custom("old", "0.99", kind="success")
    type(slo).objects.filter(pk=slo.pk).update(window_days=60)
    for days in (0, 1, 50):
        at = NOON + timedelta(days=days, minutes=13)
        slices.write({at + ONE * n: {slo.sli.slot: Slice(97, 100)} for n in range(100)})
    now = NOON + timedelta(days=51)
    evaluation.refresh_statuses(watermark=now, now=now)
    before = figures.of(slo)
    assert before is not None
    assert retention.purge(now=now) >= 200
    assert min(starts(MINUTE)) >= now - retention.MINUTES_KEPT - timedelta(hours=1)
    evaluation.refresh_statuses(watermark=now, now=now)
    after = figures.of(slo)
    assert after is not None
    assert (after.good, after.total, after.own) == (before.good, before.total, before.own)
    assert after.total == 30000
    assert len(starts(HOUR)) == 6
    assert retention.purge(now=now) == 0


def test_rounds_are_thinned(world: World) -> None:
    """By the minute for three hours, by the hour for 35 days, by the day for ever."""
    now = NOON + timedelta(days=40)
    kept = [
        now,
        now - timedelta(hours=2, minutes=59),
        now - timedelta(hours=5),
        now - timedelta(days=34),
        (now - timedelta(days=39)).replace(hour=0),
    ]
    gone = [
        now - timedelta(hours=3, minutes=1),
        now - timedelta(days=2, minutes=7),
        now - timedelta(days=38),
    ]
    for at in [*kept, *gone]:
        Round.objects.create(watermark=at, evaluated_at=at, data=b"")
    retention.purge(now=now)
    assert set(Round.objects.values_list("watermark", flat=True)) == set(kept)


def test_the_newest_round_and_slot_stay_however_old(world: World) -> None:
    """A portal that stood still for months goes on from where it stopped."""
    world.run(1, 100)
    newest = Round.objects.get().watermark
    retention.purge(now=NOON + timedelta(days=400))
    assert Round.objects.get().watermark == newest
    assert JobSlot.objects.filter(job=evaluation.JOB).count() == 1


def test_late_data_for_forgotten_minutes_changes_nothing(world: World) -> None:
    """What they would replace is not known any more."""
    slo = world.custom("late", "0.99")
    slices.write({NOON: {slo.sli.slot: Slice(97, 100)}})
    retention.purge(now=NOON + timedelta(days=36))
    assert slices.write({NOON: {slo.sli.slot: Slice(50, 100)}}) == 0
