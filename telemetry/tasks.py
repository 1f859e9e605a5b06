"""Ticks of telemetry."""

from celery import shared_task

from core import clock
from telemetry.services import compaction, retention

COMPACT_FOR_S = 8.0


@shared_task(name="telemetry.compact", ignore_result=True)
def compact() -> None:
    """Merge what waits in the log, for at most as long as the next tick is away."""
    compaction.compact_all(now=clock.now, seconds=COMPACT_FOR_S)


@shared_task(name="telemetry.purge", ignore_result=True)
def purge() -> None:
    """Forget minutes that are older than what is kept."""
    retention.purge(now=clock.now())
