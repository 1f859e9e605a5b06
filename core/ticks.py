"""Ticks that may come twice, late or not at all, and the signs of life of processes.

A tick claims its slot by inserting a `JobSlot` in the same transaction as its work: a second tick
for the slot finds the row and does nothing, a crash rolls both back, and a missed slot is found
by the next tick and done late, for its own time.
"""

import os
import socket
import time
from datetime import datetime, timedelta

from django.db import connection

from core.clock import floor_minute
from core.models import JobSlot, ProcessHeartbeat

MINUTE = timedelta(minutes=1)
_STARTED = time.time()


def instance_name() -> str:
    """Return the name of this process among its kind: host:pid:start."""
    return f"{socket.gethostname()}:{os.getpid()}:{int(_STARTED)}"


def claim(job: str, slot: datetime, *, now: datetime) -> JobSlot | None:
    """Claim `slot` of `job` for the caller's transaction, or return None when it is taken.

    Must be called inside `transaction.atomic`, with the work in the same block.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("claim() must share the transaction of the work it claims")
    row, created = JobSlot.objects.get_or_create(job=job, slot=slot, defaults={"started_at": now})
    return row if created else None


def finish(row: JobSlot, *, now: datetime, **detail: object) -> None:
    """Mark a claimed slot as done, with figures worth keeping."""
    row.finished_at = now
    row.detail = detail
    row.save(update_fields=["finished_at", "detail"])


def pending_slots(job: str, *, until: datetime, limit: int) -> list[datetime]:
    """Return the minutes after the job's newest slot up to and including `until`, oldest first.

    A job that never ran starts at `until`: there is nothing it missed.

    Args:
        job: Name of the job.
        until: Newest minute that is due.
        limit: Most slots returned; the rest is left for the next tick.
    """
    until = floor_minute(until)
    newest = (
        JobSlot.objects.filter(job=job).order_by("-slot").values_list("slot", flat=True).first()
    )
    if newest is None:
        return [until]
    missed = max(0, int((until - newest) / MINUTE))
    return [newest + MINUTE * step for step in range(1, min(missed, limit) + 1)]


def note_failure(job: str, error: str, *, now: datetime) -> None:
    """Note that a job that runs again and again failed: a row for each hour in which it does."""
    slot = now.replace(minute=0, second=0, microsecond=0)
    seen = {"finished_at": now, "detail": {"error": error}}
    JobSlot.objects.update_or_create(
        job=job, slot=slot, defaults=seen, create_defaults={**seen, "started_at": now}
    )


def failures(prefix: str, *, since: datetime) -> dict[str, str]:
    """Return the errors of jobs that `note_failure` was told of since then, by job.

    Args:
        prefix: How their names begin.
        since: What failed last before this is over.
    """
    hour = since.replace(minute=0, second=0, microsecond=0)
    rows = JobSlot.objects.filter(job__startswith=prefix, slot__gte=hour, finished_at__gte=since)
    return {row.job: row.detail.get("error", "") for row in rows.order_by("slot", "job")}


def beat(process: str, *, now: datetime) -> None:
    """Leave this process's sign of life."""
    own = {"process": process, "instance": instance_name()}
    present = {"at": now, "monotonic": time.monotonic()}
    if not ProcessHeartbeat.objects.filter(**own).update(**present):
        started_at = datetime.fromtimestamp(_STARTED, tz=now.tzinfo)
        ProcessHeartbeat.objects.get_or_create(**own, defaults=present | {"started_at": started_at})
