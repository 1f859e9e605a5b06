"""Fetching the past of an SLI from its source: as a job with progress that survives its process."""

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from core import audit
from core.clock import floor_minute
from core.errors import Conflict, InvalidInput
from slo.domain.windows import Window
from slo.models import BackfillJob, Sli
from slo.services import adjustments, slices
from slo.services.pulling import Pull, ask, newest_end
from slo.services.retention import MINUTES_KEPT
from slo.services.source_health import open_credentials
from slo.sources.answers import Answer

if TYPE_CHECKING:
    from accounts.models import User

CHUNK = timedelta(hours=6)
LEASE = timedelta(seconds=60)
# Longer after each failure in a row; after the last one a person has to look.
PAUSE = timedelta(seconds=30)
MOST_ATTEMPTS = 10
SECONDS = 20.0


def create(
    *, sli: Sli, start: datetime, end: datetime, actor: "User | str | None", now: datetime
) -> BackfillJob:
    """Begin to fetch the minutes of [start, end) again; the worker does it.

    Raises:
        InvalidInput: Naming the field.
        Conflict: A backfill of this SLI has not ended yet.
    """
    window = _window(sli, start, end, now)
    try:
        with transaction.atomic():
            job = BackfillJob.objects.create(
                sli=sli,
                start_at=window.start,
                end_at=window.end,
                done_until=window.start,
                next_at=now,
                created_by=None if isinstance(actor, str) else actor,
            )
            audit.record(
                act="sli.backfill_started",
                subject=sli,
                actor=actor,
                now=now,
                changes={"start_at": window.start, "end_at": window.end},
            )
    except IntegrityError as error:
        raise Conflict("A backfill of this SLI has not ended yet.", field="sli") from error
    return job


def _window(sli: Sli, start: datetime, end: datetime, now: datetime) -> Window:
    if sli.source is None:
        raise InvalidInput(
            "This SLI is not measured by a source; for requests import logs.", field="sli"
        )
    if not sli.source.is_enabled:
        raise InvalidInput("Its source is switched off; switch it on first.", field="sli")
    oldest = floor_minute(now - MINUTES_KEPT) + timedelta(minutes=1)
    if start < oldest:
        raise InvalidInput(
            f"Minutes are kept from {oldest:%Y-%m-%dT%H:%MZ} on; begin there.", field="start_at"
        )
    whole = Window(floor_minute(start), min(floor_minute(end), newest_end(sli.source, now=now)))
    if whole.start >= whole.end:
        raise InvalidInput("Nothing between start_at and end_at has ended yet.", field="end_at")
    return whole


def cancel(job: BackfillJob, *, actor: "User | str | None", now: datetime) -> BackfillJob:
    """End a backfill; what it wrote stays.

    Raises:
        Conflict: It ended before.
    """
    with transaction.atomic():
        job = BackfillJob.objects.select_for_update().select_related("sli").get(pk=job.pk)
        if not job.is_open:
            raise Conflict(f"This backfill has ended: {job.state}.")
        job.state = BackfillJob.State.CANCELLED
        job.save(update_fields=["state", "updated_at"])
        audit.record(act="sli.backfill_cancelled", subject=job.sli, actor=actor, now=now)
    return job


def tick(*, now: datetime) -> int:
    """Go on with every backfill that is due, for some seconds; return the chunks written."""
    ends, chunks = time.monotonic() + SECONDS, 0
    while time.monotonic() < ends:
        due = BackfillJob.objects.filter(state__in=BackfillJob.OPEN, next_at__lte=now)
        job = due.order_by("next_at", "pk").first()
        if job is None:
            break
        chunks += step(job, now=now) is not None
    return chunks


def step(job: BackfillJob, *, now: datetime) -> BackfillJob | None:
    """Fetch and write the next chunk of a backfill, unless another process is at it.

    Returns:
        The job as it is then; None when it was taken or has ended.
    """
    free = BackfillJob.objects.filter(
        pk=job.pk, state__in=BackfillJob.OPEN, next_at__lte=now, done_until=job.done_until
    )
    if not free.update(next_at=now + LEASE, state=BackfillJob.State.RUNNING):
        return None
    sli = Sli.objects.select_related("source", "service").get(pk=job.sli_id)
    if sli.source is None or not sli.source.is_enabled:
        return _end(job, "The SLI has no source that may be asked any more.")
    window = Window(job.done_until, min(job.done_until + CHUNK, job.end_at))
    pull = ask(Pull(sli.source, [(sli, window)], open_credentials(sli.source)))
    return _write(job, sli, pull.answers[sli.pk], now=now)


@transaction.atomic
def _write(job: BackfillJob, sli: Sli, answer: Answer, *, now: datetime) -> BackfillJob | None:
    job = BackfillJob.objects.select_for_update().get(pk=job.pk)
    if not job.is_open:
        return None
    # A gap says nothing, so it replaces nothing that was measured before.
    measured = {
        minute: {sli.slot: reading.slice}
        for minute, reading in answer.readings.items()
        if reading.slice.measured
    }
    slices.write(measured)
    adjustments.follow(list(measured))
    gaps = [r for r in answer.readings.values() if not r.slice.measured]
    moved = answer.until > job.done_until
    job.done_until = max(job.done_until, answer.until)
    job.gaps += len(gaps)
    job.attempts = (0 if moved else job.attempts) + bool(answer.error)
    job.error = (answer.error or (gaps[-1].reason if gaps else job.error))[:500]
    job.next_at = now + PAUSE * job.attempts if answer.error else now
    if job.done_until >= job.end_at:
        job.state = BackfillJob.State.DONE
    elif job.attempts >= MOST_ATTEMPTS:
        job.state = BackfillJob.State.FAILED
    job.save()
    return job


def _end(job: BackfillJob, error: str) -> BackfillJob:
    job.refresh_from_db()
    job.state, job.error = BackfillJob.State.FAILED, error
    job.save(update_fields=["state", "error", "updated_at"])
    return job
