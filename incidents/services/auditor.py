"""A second opinion on paging: who should have been called by now, worked out another way.

It reads incidents, pages and who was called when (`overdue`) beside the escalation's own bookkeeping
of what is due, so that a fault there shows. What it finds is repaired and somebody is called for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from django.db import connection, transaction
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet

from incidents.domain.lifecycle import Status
from incidents.domain.page_reasons import FALLBACK, SET_ASIDE
from incidents.models import Deadline, EscalationRun, Incident, Page
from incidents.services import deadlines, escalation, overdue
from incidents.services.escalation import WAITING_FOR
from incidents.services.overdue import Look
from oncall.domain.escalations import Phase

__all__ = ["PATIENCE", "Finding", "audit_paging", "overdue_pages"]

log = structlog.get_logger(__name__)
# What a healthy pager does within seconds may take this long before it is a finding.
PATIENCE = timedelta(seconds=60)
# Where no message gets out, everybody is called again after a quarter of the time that it lasts already.
SOONEST, LATEST = timedelta(minutes=5), timedelta(hours=1)
_NONE_OUT = "No message got out."
_MOST = 200


# Returns incidents and what is wrong with them.
Check = Callable[[Look], Iterable[tuple[int, str]]]


@dataclass(frozen=True)
class Finding:
    """One incident whose paging is not as it must be.

    Args:
        incident: Its number.
        what: What is wrong, in words.
    """

    incident: int
    what: str


def audit_paging(*, now: datetime, patience: timedelta = PATIENCE, turn: int = 0) -> list[Finding]:
    """Find incidents for which somebody should have been called and was not; repair each.

    Args:
        now: The present.
        patience: What a healthy pager may take.
        turn: Number of the audit.

    Returns:
        What was wrong; empty when paging is sound.

    Raises:
        Exception: Something could not be looked at; what the rest found is repaired all the same.
    """
    look = Look(now, patience, turn=turn)
    wrong, failures = _found(look)
    findings = []
    for incident, (what, check) in wrong.items():
        try:
            is_so = _repair(check, replace(look, only=incident), what)
        except Exception:
            if not connection.is_usable():
                raise
            log.exception("paging_not_repaired", incident=incident, found=what)
            is_so = True
        if is_so:
            findings.append(Finding(incident, what))
    if failures:
        raise failures[0]
    return findings


def _found(look: Look) -> tuple[dict[int, tuple[str, Check]], list[Exception]]:
    """Return what is wrong with incidents, by which check, and what kept checks from looking."""
    wrong: dict[int, tuple[str, Check]] = {}
    failures: list[Exception] = []
    for check in CHECKS:
        try:
            for incident, what in check(look):
                wrong.setdefault(incident, (what, check))
        except Exception as error:
            if not connection.is_usable():
                raise
            log.exception("audit_failed", check=check.__name__)
            failures.append(error)
    return wrong, failures


def overdue_pages(*, now: datetime, patience: timedelta = PATIENCE) -> int:
    """Return how many pages should be out and are not: pagers may be behind, or a provider down."""
    since = now - patience
    return Page.objects.filter(state__in=Page.OPEN, due_at__lte=since, look_at__lte=since).count()


def _never_called(look: Look) -> list[tuple[int, str]]:
    """Return triggered incidents of whose present cycle nobody was ever to be called."""
    pages = Page.objects.filter(incident=OuterRef("pk"), cycle=OuterRef("cycle"))
    runs = EscalationRun.objects.filter(
        incident=OuterRef("pk"),
        cycle=OuterRef("cycle"),
        state=EscalationRun.State.RUNNING,
        # A first step may lie in the future: a ladder can begin later, or in working hours.
        fired_at=None,
        started_at__lte=look.now,
        due_at__gt=look.since,
    )
    # By a clock that was fast, and has been set right, it may seem to have begun later than now.
    settled = Q(updated_at__lte=look.since) | Q(updated_at__gt=look.now + look.patience)
    rows = look.incidents(status=Status.TRIGGERED).filter(settled)
    found = rows.filter(~Exists(pages), ~Exists(runs)).values_list("pk", flat=True)
    return [(pk, "Nobody was called.") for pk in found[:_MOST]]


def _none_out(look: Look) -> list[tuple[int, str]]:
    """Return triggered incidents of whose present cycle every message failed."""
    pages = Page.objects.filter(incident=OuterRef("pk"), cycle=OuterRef("cycle"))
    lost = pages.filter(state__in=[Page.State.FAILED, Page.State.UNCERTAIN], due_at__lte=look.since)
    rows = look.incidents(status=Status.TRIGGERED).filter(
        Exists(lost), ~Exists(pages.filter(state__in=Page.HOPEFUL))
    )
    return [(pk, _NONE_OUT) for pk in rows.values_list("pk", flat=True)[:_MOST]]


def _given_up(look: Look) -> list[tuple[int, str]]:
    """Return triggered incidents for which nobody is called any more, though not all were."""
    others = EscalationRun.objects.filter(
        incident=OuterRef("pk"), cycle=OuterRef("cycle"), phase=Phase.UNACKNOWLEDGED
    ).exclude(state=EscalationRun.State.STOPPED)
    pages = Page.objects.filter(incident=OuterRef("pk"), cycle=OuterRef("cycle"))
    rows = look.incidents(status=Status.TRIGGERED, updated_at__lte=look.since).filter(
        ~Exists(others), Exists(pages)
    )
    found = rows.values_list("pk", flat=True)[:_MOST]
    return [(pk, "Its escalation ended although nobody answered.") for pk in found]


def _stalled(look: Look) -> list[tuple[int, str]]:
    """Return triggered incidents whose next step is overdue."""
    runs = EscalationRun.objects.filter(
        incident=OuterRef("pk"),
        cycle=OuterRef("cycle"),
        phase=Phase.UNACKNOWLEDGED,
        state=EscalationRun.State.RUNNING,
        due_at__lte=look.since,
    )
    pages = Page.objects.filter(incident=OuterRef("pk"), cycle=OuterRef("cycle"))
    rows = look.incidents(status=Status.TRIGGERED).filter(Exists(runs), Exists(pages))
    return [(pk, overdue.OVERDUE) for pk in rows.values_list("pk", flat=True)[:_MOST]]


def _stuck_pages(look: Look) -> list[tuple[int, str]]:
    """Return triggered incidents with a page that is long due, although others went out before it.

    Where what is due later waits as well, pagers are behind, and one more page would not help.
    """
    passed = Page.objects.filter(
        state=Page.State.SENT, sent_at__gt=look.since, severity__gte=OuterRef("severity")
    )
    rows = Page.objects.filter(
        Exists(passed.filter(due_at__gt=OuterRef("look_at"))),
        state=Page.State.WAITING,
        due_at__lte=look.since,
        look_at__lte=look.since,
        incident__status=Status.TRIGGERED,
    )
    if look.only is not None:
        rows = rows.filter(incident=look.only)
    found = rows.order_by("incident").values_list("incident", flat=True).distinct()[:_MOST]
    return [(pk, "A page is overdue.") for pk in found]


CHECKS: tuple[Check, ...] = (
    _never_called,
    _none_out,
    _given_up,
    _stalled,
    _stuck_pages,
    overdue.walks_that_stand,
    overdue.asleep,
    overdue.not_begun,
    overdue.put_off,
)


@transaction.atomic
def _repair(check: Check, look: Look, what: str) -> bool:
    """Repair what was found, if it is still so: somebody may have answered, or another pager called."""
    incident, now = look.incidents().select_for_update(of=("self",)).get(), look.now
    phase = next((each for each, status in WAITING_FOR.items() if status == incident.status), None)
    if phase is None or (incident.pk, what) not in check(look):
        return False
    if what == overdue.NOT_BEGUN:
        escalation.begin(incident, phase, now=now)
        return True
    runs = EscalationRun.objects.filter(incident=incident, cycle=incident.cycle, phase=phase)
    if what == overdue.SLEEPS_ON:
        deadlines.put(incident, {Deadline.Kind.SNOOZE_ENDS: now})
    elif what == _NONE_OUT:
        _call_again(incident, runs, now=now)
    elif what == overdue.ENDED_EARLY:
        _take_up(runs, now=now)
    else:
        _go_on(incident, runs, phase, now=now)
    reason = FALLBACK if phase == Phase.UNACKNOWLEDGED else SET_ASIDE
    escalation.page_fallback(incident, f"The auditor found: {what}", now=now, reason=reason)
    return True


def _go_on(
    incident: Incident, runs: QuerySet[EscalationRun], phase: Phase, *, now: datetime
) -> None:
    """Have what should be due be due: the next level, or the first, and pages that wait."""
    again = runs.filter(state__in=[EscalationRun.State.RUNNING, EscalationRun.State.STOPPED])
    if (
        not again.update(
            state=EscalationRun.State.RUNNING, due_at=now, look_at=now, ended_at=None, claims=0
        )
        and not runs.exists()
    ):
        escalation.begin(incident, phase, now=now)
    Page.objects.filter(incident=incident, state__in=Page.OPEN, due_at__lte=now).filter(
        Q(state=Page.State.WAITING) | Q(look_at__gt=now + overdue.longest_pause())
    ).update(look_at=now)


def _take_up(runs: QuerySet[EscalationRun], *, now: datetime) -> None:
    """Call whoever follows the last call of a walk that ended too early."""
    for run in runs.select_for_update():
        run.loop, run.position = overdue.after_the_last_call(run)
        run.state, run.ended_at, run.claims = EscalationRun.State.RUNNING, None, 0
        run.due_at = run.look_at = now
        run.save()


def _call_again(incident: Incident, runs: QuerySet[EscalationRun], *, now: datetime) -> None:
    """Call everybody from the beginning; the longer no message gets out, the less often."""
    pages = Page.objects.filter(incident=incident, cycle=incident.cycle)
    told = pages.aggregate(first=Min("created_at"), last=Max("created_at"))
    if now < told["last"] + min(max((now - told["first"]) / 4, SOONEST), LATEST):
        return
    running = EscalationRun.State.RUNNING
    if not runs.filter(state=running).update(due_at=now, look_at=now):
        # Whatever ended it.
        runs.update(
            state=running,
            loop=F("loop") + 1,
            position=0,
            due_at=now,
            look_at=now,
            ended_at=None,
            claims=0,
        )
