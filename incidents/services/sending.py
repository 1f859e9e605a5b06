"""Sending pages: the second phase, after they were committed, and outside of any transaction.

Claim (being sent, one attempt more, leased) → send with the key and within the time limit →
record. Whoever dies in between leaves a lease that runs out. That page is then *uncertain*, not
failed: for P0 and P1 it is sent again under the same key and says so, for others it is not.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from incidents.domain.lifecycle import Status
from incidents.models import Attempt, EscalationRun, Page, TimelineEntry
from incidents.services import escalation, timeline
from incidents.services.messages import message_for, recipient_of
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.transports import TransportFailed, transport_for

__all__ = ["BACKOFF", "MOST_ATTEMPTS", "claim_pages", "lease_of", "send_claimed", "send_due"]

log = structlog.get_logger(__name__)
State = Page.State
MOST_ATTEMPTS = 5
BACKOFF = (timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=30), timedelta(minutes=1))
# While an incident stands so, pages of these reasons are still wanted.
WANTED = {
    "escalation": {Status.TRIGGERED},
    "unresolved": {Status.ACKNOWLEDGED},
    "fallback": {Status.TRIGGERED},
}
ANY_OPEN = {Status.TRIGGERED, Status.ACKNOWLEDGED, Status.MITIGATED}
Clock = Callable[[], datetime]


def lease_of(page: Page) -> timedelta:
    """Return how long whoever sends a page may take, three times what the transport is given."""
    return 3 * transport_for(Kind(page.channel)).deadline


def claim_pages(*, owner: str, now: datetime, limit: int) -> list[Page]:
    """Claim up to `limit` due pages for sending, P0 first; committed when this returns.

    Pages that nobody wants any more are cancelled instead, and those whose last send is uncertain
    are repeated or given up as their severity asks for.
    """
    if limit < 1:
        return []
    with transaction.atomic():
        due = Page.objects.filter(state__in=Page.OPEN, look_at__lte=now)
        rows = due.select_related("incident", "person", "method").select_for_update(
            skip_locked=True, of=("self",)
        )
        found = list(rows.order_by("-at_least_once", "look_at", "pk")[:limit])
        cut = [page for page in found if page.state == State.SENDING]
        for page in found:
            _decide(page, owner=owner, now=now)
        Page.objects.bulk_update(
            found, ["state", "attempts", "look_at", "owner", "is_repeat", "problem"]
        )
        for page in cut:
            # The claimer before this one never said what became of it.
            page.tries.filter(outcome="").exclude(number=page.attempts, owner=owner).update(
                outcome=Attempt.Outcome.UNCERTAIN, ended_at=now
            )
        claimed = [page for page in found if page.state == State.SENDING]
        Attempt.objects.bulk_create(
            Attempt(page=page, number=page.attempts, owner=owner, started_at=now)
            for page in claimed
        )
    return claimed


def _decide(page: Page, *, owner: str, now: datetime) -> None:
    if page.incident.cycle != page.cycle or not is_wanted(page):
        page.state, page.problem = State.CANCELLED, "Nobody needs to be called any more."
    elif page.state == State.SENDING and not page.at_least_once:
        page.state, page.problem = State.UNCERTAIN, "Its sender died; it is sent at most once."
    else:
        page.is_repeat = page.is_repeat or page.state == State.SENDING
        page.state, page.owner = State.SENDING, owner
        page.attempts += 1
        page.look_at = now + lease_of(page)


def is_wanted(page: Page) -> bool:
    """Return whether somebody must still be told, as the incident stands."""
    return page.incident.status in WANTED.get(page.reason, ANY_OPEN)


def send_claimed(page: Page, *, owner: str, clock: Clock) -> bool:
    """Send one claimed page and record what became of it; returns whether it was taken."""
    try:
        provider_id = transport_for(Kind(page.channel)).send(
            message_for(page, now=clock()), recipient_of(page)
        )
    except TransportFailed as error:
        record(
            page, owner=owner, now=clock(), problem=str(error),
            is_final=error.is_final, is_uncertain=error.is_uncertain,
        )  # fmt: skip
        return False
    except Exception as error:
        log.exception("transport_broke", page=page.pk, channel=page.channel)
        problem = f"The transport broke ({type(error).__name__})."
        record(page, owner=owner, now=clock(), problem=problem)
        return False
    record(page, owner=owner, now=clock(), provider_id=provider_id)
    return True


@transaction.atomic
def record(
    page: Page,
    *,
    owner: str,
    now: datetime,
    provider_id: str = "",
    problem: str = "",
    is_final: bool = False,
    is_uncertain: bool = False,
) -> None:
    """Write down what became of an attempt; the page changes only if it is still this claim's.

    An attempt whose answer was lost may have arrived: it counts like one that a crash cut.
    """
    outcome = Attempt.Outcome.FAILED if problem else Attempt.Outcome.SENT
    if is_uncertain:
        outcome = Attempt.Outcome.UNCERTAIN
    Attempt.objects.filter(page=page, number=page.attempts, owner=owner).update(
        ended_at=now, outcome=outcome, provider_id=provider_id, problem=problem[:500]
    )
    mine = Page.objects.filter(pk=page.pk, state=State.SENDING, owner=owner, attempts=page.attempts)
    if not problem:
        if mine.update(state=State.SENT, sent_at=now, provider_id=provider_id, problem=""):
            _confirm(page, now=now)
        return
    again = not is_final and page.attempts < MOST_ATTEMPTS
    if is_uncertain and not page.at_least_once:
        again = False
    wait = BACKOFF[min(page.attempts, len(BACKOFF)) - 1]
    changed = mine.update(
        state=_after(again=again, is_uncertain=is_uncertain),
        is_repeat=page.is_repeat or is_uncertain,
        look_at=now + wait,
        problem=problem[:500],
    )
    if page.method_id:
        ContactMethod.objects.filter(pk=page.method_id).update(failed_at=now, problem=problem[:500])
    if changed and not again:
        _failed_for_good(page, problem, now=now)


def _after(*, again: bool, is_uncertain: bool) -> Page.State:
    if again:
        return State.WAITING
    return State.UNCERTAIN if is_uncertain else State.FAILED


def _confirm(page: Page, *, now: datetime) -> None:
    if page.method_id:
        ContactMethod.objects.filter(pk=page.method_id).update(delivered_at=now, problem="")
    repeat = ", again: the first send was cut" if page.is_repeat else ""
    timeline.write(
        page.incident, TimelineEntry.Kind.PAGE, "paged", now=now,
        text=f"{page.target} by {page.channel}{repeat}.", page=page.key,
    )  # fmt: skip


def _failed_for_good(page: Page, problem: str, *, now: datetime) -> None:
    """Say that a page did not get out; when none of its step did, the next step fires at once."""
    timeline.write(
        page.incident, TimelineEntry.Kind.PAGE, "page_failed", now=now,
        text=f"{page.target} by {page.channel}: {problem}"[:1000], page=page.key,
    )  # fmt: skip
    if page.run_id is None:
        return
    hopeful = (State.WAITING, State.SENDING, State.SENT)
    beside = Page.objects.filter(run=page.run_id, loop=page.loop, step=page.step)
    if beside.filter(state__in=hopeful).exists():
        return
    EscalationRun.objects.filter(pk=page.run_id, state=EscalationRun.State.RUNNING).update(
        due_at=now, look_at=now
    )
    if page.reason == escalation.FALLBACK:
        log.error("fallback_failed", incident=page.incident_id, channel=page.channel)


def send_due(*, owner: str, clock: Clock, limit: int = 100) -> int:
    """Claim and send what is due, one after the other; returns how many were tried."""
    pages = claim_pages(owner=owner, now=clock(), limit=limit)
    for page in pages:
        send_claimed(page, owner=owner, clock=clock)
    return len(pages)
