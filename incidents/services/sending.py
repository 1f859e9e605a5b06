"""Sending pages: the second phase, after they were committed, and outside of any transaction.

Claim (being sent, one attempt more, leased; `bundles`) → send with the key and within the time
limit → record. Whoever dies in between leaves a lease that runs out. That page is then *uncertain*,
not failed: for P0 and P1 it is sent again under the same key and says so, for others it is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import F

from incidents.models import Attempt, EscalationRun, Page, TimelineEntry
from incidents.services.bundles import Bundle, claim_bundles
from incidents.services.messages import message_for, recipient_of
from incidents.services.pages import FALLBACK
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.transports import TransportFailed, transport_for

__all__ = ["BACKOFF", "MOST_ATTEMPTS", "claim", "record", "send", "send_due"]

log = structlog.get_logger(__name__)
State = Page.State
MOST_ATTEMPTS = 5
BACKOFF = (timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=30), timedelta(minutes=1))
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    Args:
        provider_id: Of what was taken.
        problem: Why it was not, "" when it was.
        is_final: Whether trying again cannot help.
        is_uncertain: Whether it may have arrived all the same.
    """

    provider_id: str = ""
    problem: str = ""
    is_final: bool = False
    is_uncertain: bool = False

    @property
    def word(self) -> Attempt.Outcome:
        """The same for an attempt's row."""
        if self.is_uncertain:
            return Attempt.Outcome.UNCERTAIN
        return Attempt.Outcome.FAILED if self.problem else Attempt.Outcome.SENT


def claim(*, owner: str, now: datetime, limit: int) -> list[Bundle]:
    """Claim messages for sending, and go on at once where a page had to be given up."""
    bundles, given_up = claim_bundles(owner=owner, now=now, limit=limit)
    if given_up:
        with transaction.atomic():
            _failed_for_good(given_up, given_up[0].problem, now=now)
    return bundles


def send(bundle: Bundle, *, owner: str, clock: Clock) -> bool:
    """Send one claimed message and record what became of it; returns whether it was taken."""
    try:
        message = message_for(bundle.pages, bundle.key, now=clock())
        kind = Kind(bundle.first.channel)
        outcome = Outcome(transport_for(kind).send(message, recipient_of(bundle.first)))
    except TransportFailed as error:
        outcome = Outcome("", str(error) or "failed", error.is_final, error.is_uncertain)
    except Exception as error:
        log.exception("transport_broke", page=bundle.first.pk, channel=bundle.first.channel)
        outcome = Outcome(problem=f"The transport broke ({type(error).__name__}).")
    record(bundle, outcome, owner=owner, now=clock())
    return not outcome.problem


@transaction.atomic
def record(bundle: Bundle, outcome: Outcome, *, owner: str, now: datetime) -> None:
    """Write down what became of an attempt; pages change only if they are still this claim's.

    An attempt whose answer was lost may have arrived: it counts like one that a crash cut.
    """
    pages = {page.pk: page for page in bundle.pages}
    mine = Page.objects.select_for_update(of=("self",)).filter(
        pk__in=pages, state=State.SENDING, owner=owner
    )
    held = [row for row in mine.order_by("pk") if row.attempts == pages[row.pk].attempts]
    Attempt.objects.filter(
        page__in=pages, owner=owner, ended_at=None, number=F("page__attempts")
    ).update(
        ended_at=now,
        outcome=outcome.word,
        provider_id=outcome.provider_id[:200],
        problem=outcome.problem[:500],
    )
    for row in held:
        _settle(row, outcome, now=now)
    Page.objects.bulk_update(
        held, ["state", "sent_at", "provider_id", "problem", "look_at", "is_repeat"], batch_size=500
    )
    _tell_method(bundle.first, outcome, now=now)
    if not outcome.problem:
        _write_sent(held, now=now)
    if lost := [row for row in held if row.state in {State.FAILED, State.UNCERTAIN}]:
        _failed_for_good(lost, outcome.problem, now=now)


def _settle(page: Page, outcome: Outcome, *, now: datetime) -> None:
    """Say where a page stands after an attempt."""
    page.problem = outcome.problem[:500]
    if not outcome.problem:
        page.state, page.sent_at = State.SENT, now
        page.provider_id = outcome.provider_id[:200]
        return
    may_repeat = page.at_least_once or not outcome.is_uncertain
    page.is_repeat = page.is_repeat or outcome.is_uncertain
    if may_repeat and not outcome.is_final and page.attempts < MOST_ATTEMPTS:
        page.state = State.WAITING
        page.look_at = now + BACKOFF[min(page.attempts, len(BACKOFF)) - 1]
    else:
        page.state = State.UNCERTAIN if outcome.is_uncertain else State.FAILED


def _tell_method(page: Page, outcome: Outcome, *, now: datetime) -> None:
    """Note when a method last worked or failed; a failure opens it for the next try."""
    if page.method_id is None:
        return
    method = ContactMethod.objects.filter(pk=page.method_id)
    if outcome.problem:
        method.update(failed_at=now, problem=outcome.problem[:500], next_at=None)
    else:
        method.update(delivered_at=now, problem="")


def _write_sent(pages: Sequence[Page], *, now: datetime) -> None:
    TimelineEntry.objects.bulk_create(
        _entry(
            page,
            "paged",
            f"{page.target} by {page.channel}"
            f"{', again: the first send was cut' if page.is_repeat else ''}.",
            now=now,
        )
        for page in pages
    )


def _failed_for_good(pages: Sequence[Page], problem: str, *, now: datetime) -> None:
    """Say that pages did not get out; where none of a step did, the next step fires at once."""
    TimelineEntry.objects.bulk_create(
        _entry(page, "page_failed", f"{page.target} by {page.channel}: {problem}"[:1000], now=now)
        for page in pages
    )
    hopeful = (State.WAITING, State.SENDING, State.SENT)
    for page in pages:
        if page.reason == FALLBACK:
            log.error("fallback_failed", incident=page.incident_id, channel=page.channel)
        if page.run_id is None:
            continue
        beside = Page.objects.filter(run=page.run_id, loop=page.loop, step=page.step)
        if not beside.filter(state__in=hopeful).exists():
            EscalationRun.objects.filter(pk=page.run_id, state=EscalationRun.State.RUNNING).update(
                due_at=now, look_at=now
            )


def _entry(page: Page, act: str, text: str, *, now: datetime) -> TimelineEntry:
    return TimelineEntry(
        incident_id=page.incident_id,
        at=now,
        kind=TimelineEntry.Kind.PAGE,
        act=act,
        actor="portal",
        text=text,
        facts={"page": page.key},
    )


def send_due(*, owner: str, clock: Clock, limit: int = 100) -> int:
    """Claim and send what is due, one after the other; returns how many messages were tried."""
    bundles = claim(owner=owner, now=clock(), limit=limit)
    for bundle in bundles:
        send(bundle, owner=owner, clock=clock)
    return len(bundles)
