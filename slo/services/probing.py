"""Running synthetic checks when they are due, and keeping what they found for a week."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from core import http_client
from core.http_client import Deadline, OutboundError
from slo.domain.probes import Expectation, Outcome, next_due, status_ranges
from slo.models import ProbeResult, ProbeSchedule, Sli

log = structlog.get_logger(__name__)

FEATURE = "probe"
KEPT = timedelta(days=7)
AT_ONCE = 16
MOST_CHECKS = 128


@dataclass(frozen=True)
class Due:
    """A check that this process has taken.

    Args:
        sli: The probe.
        at: When it was due.
    """

    sli: Sli
    at: datetime


def tick(*, now: datetime) -> list[ProbeResult]:
    """Make every check that is due, at the same time, and keep what they found."""
    _schedule_new(now)
    due = list(_claimed(now))
    if not due:
        return []
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="probe") as pool:
        results = list(pool.map(check, due))
    return ProbeResult.objects.bulk_create(results, ignore_conflicts=True)


def _schedule_new(now: datetime) -> None:
    unscheduled = Sli.objects.filter(kind=Sli.Kind.PROBE, probe_schedule=None)
    rows = [ProbeSchedule(sli=sli, next_at=now) for sli in unscheduled]
    ProbeSchedule.objects.bulk_create(rows, ignore_conflicts=True)


def _claimed(now: datetime) -> Iterator[Due]:
    """Yield the checks that are due and no other process took first.

    One that is late is made once; those it missed are gaps.
    """
    due = ProbeSchedule.objects.filter(next_at__lte=now, sli__kind=Sli.Kind.PROBE)
    for row in due.select_related("sli").order_by("next_at")[:MOST_CHECKS]:
        at, after = next_due(row.next_at, timedelta(seconds=row.sli.probe_every_s), now=now)
        mine = ProbeSchedule.objects.filter(pk=row.pk, next_at=row.next_at)
        if mine.update(next_at=after):
            yield Due(row.sli, at)


def check(due: Due) -> ProbeResult:
    """Make one check; touches no database.

    What kept the portal itself from asking says nothing of the target, so it counts for nothing.
    """
    sli = due.sli
    deadline = Deadline(sli.probe_timeout_ms / 1000)
    result = ProbeResult(sli=sli, at=due.at)
    try:
        expected = Expectation(status_ranges(sli.probe_statuses), sli.probe_body, sli.threshold_ms)
        answer = http_client.request(
            sli.probe_url, feature=FEATURE, deadline=deadline, truncate=True
        )
    except OutboundError as error:
        result.outcome = Outcome.NOT_RUN if error.ours else Outcome.BAD
        result.reason, result.duration_ms = str(error)[:300], deadline.elapsed_ms
    except Exception as error:
        log.exception("probe_failed_unexpectedly", sli=sli.slug)
        result.outcome = Outcome.NOT_RUN
        result.reason = f"Unexpected: {type(error).__name__}."
    else:
        result.status, result.duration_ms = answer.status, answer.elapsed_ms
        result.reason = expected.failure(
            status=answer.status, body=answer.body, elapsed_ms=answer.elapsed_ms
        )
        result.outcome = Outcome.BAD if result.reason else Outcome.GOOD
    return result


def purge(*, now: datetime) -> int:
    """Forget checks that are older than what is kept; return how many."""
    gone, _ = ProbeResult.objects.filter(at__lt=now - KEPT).delete()
    return gone
