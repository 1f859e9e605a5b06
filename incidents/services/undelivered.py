"""What follows where a message did not get out: the next level at once, in the end the fallback contact."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from incidents.domain.page_reasons import TO_FALLBACK
from incidents.models import EscalationRun, Incident, Page, TimelineEntry
from incidents.services import escalation
from incidents.services.pages import is_to_account
from oncall.domain.escalations import Phase

__all__ = ["NOBODY", "fall_back", "next_level_at_once", "unheard"]

log = structlog.get_logger(__name__)
NOBODY = "Nobody could be called."
State = EscalationRun.State
# What a page's key is made of, beside its incident.
_NAMED_BY = ("key", "cycle", "loop", "step", "target", "reason")


def unheard(walks: Sequence[tuple[int, int]], *, loop: int | None) -> set[int]:
    """Return the walks of which no message got out, or still may; the fallback's do not count.

    Args:
        walks: Incident and run of each.
        loop: Only what was sent in that one.
    """
    pages = Page.objects.filter(
        incident__in=[incident for incident, _ in walks],
        run__in=[run for _, run in walks],
        state__in=Page.HOPEFUL,
    ).exclude(reason__in=TO_FALLBACK)
    if loop is not None:
        pages = pages.filter(loop=loop)
    return {run for _, run in walks} - {page.run_id for page in _by_verified_ways(pages)}


def next_level_at_once(pages: Sequence[Page], problem: str, *, now: datetime) -> None:
    """Say that pages did not get out; where none of a step did, what it waits for is due.

    Only of the step that was called last: a later level is not called sooner because an earlier one
    fails late. And the pause before everybody is called again stays.
    """
    TimelineEntry.objects.bulk_create(
        TimelineEntry(
            incident_id=page.incident_id,
            at=now,
            kind=TimelineEntry.Kind.PAGE,
            act="page_failed",
            actor="portal",
            text=f"{page.target} by {page.channel}: {problem}"[:1000],
            facts={"page": page.key},
        )
        for page in pages
    )
    for page in pages:
        if page.reason in TO_FALLBACK:
            log.error("fallback_failed", incident=page.incident_id, channel=page.channel)
        elif page.run_id is not None and not _hopeful(
            page.incident_id, page.run_id, loop=page.loop, step=page.step
        ):
            EscalationRun.objects.filter(
                pk=page.run_id, state=State.RUNNING, loop=page.loop, position=page.step
            ).update(due_at=now, look_at=now)


def fall_back(pages: Iterable[Page], *, now: datetime) -> None:
    """Call the fallback contact where all levels were called in vain: no message got out.

    Each in a transaction of its own, after the one that recorded the failure: it needs the lock of
    the incident. What a crash in between leaves undone, or cannot be done now, the auditor finds.
    """
    loops = {
        (page.run_id, page.incident_id, page.loop)
        for page in pages
        if page.run_id is not None and page.reason not in TO_FALLBACK
    }
    for run, incident, loop in sorted(loops):
        try:
            _fall_back(run, incident, loop, now=now)
        except DatabaseError:
            log.exception("fallback_not_called", incident=incident)


@transaction.atomic
def _fall_back(run_id: int, incident_id: int, loop: int, *, now: datetime) -> None:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    run = (
        EscalationRun.objects.filter(pk=run_id, cycle=incident.cycle, phase=Phase.UNACKNOWLEDGED)
        .select_related("snapshot")
        .first()
    )
    if run is None or incident.status != escalation.WAITING_FOR[Phase.UNACKNOWLEDGED]:
        return
    is_over = run.state == State.EXHAUSTED or (run.state == State.RUNNING and run.loop > loop)
    if is_over and not _hopeful(incident_id, run_id, loop=loop):
        escalation.page_fallback(incident, NOBODY, now=now, run=run, loop=loop)


def _by_verified_ways(pages: QuerySet[Page]) -> list[Page]:
    """Return pages that go by a way of somebody's own: an account's address may be nobody's.

    Where the way was removed since, the key still says that it was one.
    """
    told = pages.only("incident_id", "run_id", "method_id", *_NAMED_BY)
    return [page for page in told if page.method_id is not None or not is_to_account(page)]


def _hopeful(incident: int, run: int, **where: int) -> bool:
    """Return whether a message of a walk got out, or still may."""
    pages = Page.objects.filter(incident=incident, run=run, state__in=Page.HOPEFUL, **where)
    return bool(_by_verified_ways(pages))
