"""What follows where a message did not get out: the next level at once, in the end the fallback contact."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from incidents.models import EscalationRun, Incident, Page, TimelineEntry
from incidents.services import escalation
from incidents.services.pages import FALLBACK
from oncall.domain.escalations import Phase

__all__ = ["NOBODY", "fall_back", "is_anybody_called", "next_level_at_once"]

log = structlog.get_logger(__name__)
NOBODY = "Nobody could be called."
State = EscalationRun.State


def is_anybody_called(incident: int, run: int, *, loop: int | None = None) -> bool:
    """Return whether a walk has a message that got out, or still may.

    Args:
        incident: Its number.
        run: Number of the walk.
        loop: Only of that one.
    """
    return _hopeful(incident, run, loop=loop).exclude(reason=FALLBACK).exists()


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
        if page.reason == FALLBACK:
            log.error("fallback_failed", incident=page.incident_id, channel=page.channel)
        elif (
            page.run_id is not None
            and not _hopeful(page.incident_id, page.run_id, loop=page.loop)
            .filter(step=page.step)
            .exists()
        ):
            EscalationRun.objects.filter(
                pk=page.run_id, state=State.RUNNING, loop=page.loop, position=page.step
            ).update(due_at=now, look_at=now)


def fall_back(pages: Iterable[Page], *, now: datetime) -> None:
    """Call the fallback contact where all levels were called in vain: no message got out.

    Each in a transaction of its own, after the one that recorded the failure: it needs the lock of
    the incident. What a crash in between leaves undone, the auditor finds.
    """
    loops = {
        (page.run_id, page.incident_id, page.loop)
        for page in pages
        if page.run_id is not None and page.reason != FALLBACK
    }
    for run, incident, loop in sorted(loops):
        _fall_back(run, incident, loop, now=now)


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
    if is_over and not _hopeful(incident_id, run_id, loop=loop).exists():
        escalation.page_fallback(incident, NOBODY, now=now, run=run, loop=loop)


def _hopeful(incident: int, run: int, *, loop: int | None) -> QuerySet[Page]:
    pages = Page.objects.filter(incident=incident, run=run, state__in=Page.HOPEFUL)
    return pages if loop is None else pages.filter(loop=loop)
