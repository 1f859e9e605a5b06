"""Forgetting what is finer than what is kept: minutes for 35 days, hours for 13 months, days for ever."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, QuerySet

from core.models import JobSlot
from slo.domain.blocks import DAY, HOUR, MINUTE, start_of
from slo.models import Round, SliceBlock
from slo.services.evaluation import JOB

MINUTES_KEPT = timedelta(days=35)
HOURS_KEPT = timedelta(days=400)
# Rounds by the minute answer "what did we know just then"; by the hour and the day for longer.
ROUNDS_KEPT = timedelta(hours=3)
CHUNK = 1_000


def purge(*, now: datetime) -> int:
    """Delete slices, rounds and slots that are finer than what is kept; return how many rows went.

    Only whole hours of minutes go, and whole days of hours: a window is the difference of two ends,
    and both ends must be counted alike. Each chunk commits by itself.
    """
    minutes = SliceBlock.objects.filter(
        resolution=MINUTE, start__lt=start_of(HOUR, now - MINUTES_KEPT)
    )
    hours = SliceBlock.objects.filter(resolution=HOUR, start__lt=start_of(DAY, now - HOURS_KEPT))
    gone = _delete(minutes) + _delete(hours) + _thin_rounds(now)
    newest = JobSlot.objects.filter(job=JOB).aggregate(slot=Max("slot"))["slot"]
    if newest is not None:
        old = JobSlot.objects.filter(job=JOB, slot__lt=min(newest, now - MINUTES_KEPT))
        gone += _delete(old)
    return gone


def _thin_rounds(now: datetime) -> int:
    """Leave a round a minute for three hours, one an hour for 35 days and one a day before that."""
    newest = Round.objects.aggregate(at=Max("watermark"))["at"]
    old = Round.objects.filter(watermark__lt=now - ROUNDS_KEPT).exclude(watermark=newest)
    gone = _delete(old.exclude(watermark__minute=0))
    daily = old.filter(watermark__lt=now - MINUTES_KEPT)
    return gone + _delete(daily.exclude(watermark__hour=0, watermark__minute=0))


def _delete(rows: QuerySet[Any]) -> int:
    gone = 0
    while pks := list(rows.values_list("pk", flat=True)[:CHUNK]):
        gone += rows.model.objects.filter(pk__in=pks).delete()[0]
    return gone
