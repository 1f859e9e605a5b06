"""Ticks of telemetry."""

import time

from celery import shared_task

from core import clock
from telemetry.services import compaction, retention

COMPACT_FOR_S = 8.0


@shared_task(name="telemetry.compact", ignore_result=True)
def compact() -> None:
    """Merge what waits in the log, for at most as long as the next tick is away."""
    end = time.monotonic() + COMPACT_FOR_S
    while compaction.compact(now=clock.now()) and time.monotonic() < end:
        pass


@shared_task(name="telemetry.purge", ignore_result=True)
def purge() -> None:
    """Forget minutes that are older than what is kept."""
    retention.purge(now=clock.now())
