"""Sending pages: the second phase, after they were committed, and outside of any transaction.

Claim (being sent, one attempt more, leased; `bundles`) → send with the key and within the time
limit → record. Whoever dies in between leaves a lease that runs out. That page is then *uncertain*,
not failed: for P0 and P1 it is sent again under the same key and says so, for others it is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import structlog
from cryptography.fernet import InvalidToken
from django.db import DatabaseError, transaction
from django.db.models import Q

from core import bulk
from incidents.models import Attempt, Page, TimelineEntry
from incidents.services import undelivered
from incidents.services.bundles import MOST_ATTEMPTS, Bundle, claim_bundles, open_gates
from incidents.services.messages import message_for, recipient_of
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.services import switching
from notifications.transports import TransportFailed, transport_for

__all__ = ["BACKOFF", "MOST_ATTEMPTS", "Done", "Outcome", "claim", "record", "send", "send_due"]

log = structlog.get_logger(__name__)
State = Page.State
BACKOFF = (timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=30), timedelta(minutes=1))
# As long as a provider may ask to be left alone: whoever must be called cannot wait for it longer.
LONGEST_WAIT = timedelta(minutes=1)
NOTED_EVERY = timedelta(seconds=1)
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt.

    Args:
        provider_id: Of what was taken.
        problem: Why it was not, "" when it was.
        is_final: Whether trying again cannot help.
        is_uncertain: Whether it may have arrived all the same.
        is_gone: Whether the way has ended.
        retry_after: How long the provider asks to be left alone.
    """

    provider_id: str = ""
    problem: str = ""
    is_final: bool = False
    is_uncertain: bool = False
    is_gone: bool = False
    retry_after: timedelta = timedelta()

    @classmethod
    def of(cls, error: TransportFailed) -> Self:
        """Return what a message was not taken for."""
        return cls(
            problem=str(error) or "failed",
            is_final=error.is_final,
            is_uncertain=error.is_uncertain,
            is_gone=error.is_gone,
            retry_after=error.retry_after,
        )

    @property
    def word(self) -> Attempt.Outcome:
        """The same for an attempt's row."""
        if self.is_uncertain:
            return Attempt.Outcome.UNCERTAIN
        return Attempt.Outcome.FAILED if self.problem else Attempt.Outcome.SENT


def claim(
    *, owner: str, now: datetime, limit: int, hand_over: Callable[[Bundle], object] | None = None
) -> list[Bundle]:
    """Claim messages for sending, and go on at once where a page had to be given up.

    Whatever becomes of that: what is claimed is sent.

    Args:
        owner: Who sends them.
        now: The present.
        limit: Most of them.
        hand_over: Has one sent. The next levels of what is given up are due before that, lest what
            ends its sender ends them, too; all are handed over before fallback contacts are called,
            which may take longer than a claim lasts where many pages are given up together.
    """
    bundles, given_up = claim_bundles(owner=owner, now=now, limit=limit)
    if given_up:
        try:
            with transaction.atomic():
                for page in given_up:
                    undelivered.next_level_at_once([page], page.problem, now=now)
        except DatabaseError:
            log.exception("given_up_not_followed", pages=len(given_up))
    if hand_over is not None:
        for bundle in bundles:
            hand_over(bundle)
    undelivered.fall_back(given_up, now=now)
    return bundles


@dataclass(frozen=True)
class Done:
    """One message that was tried.

    Args:
        bundle: Its pages.
        outcome: What became of it.
        at: When it ended.
    """

    bundle: Bundle
    outcome: Outcome
    at: datetime


def send(bundle: Bundle, *, clock: Clock) -> Done:
    """Send one claimed message; whatever happens, there is an outcome to be recorded."""
    try:
        now = clock()
        message = message_for(bundle.pages, bundle.key, now=now)
        recipient = recipient_of(bundle.first, now=now)
        outcome = Outcome(transport_for(Kind(bundle.first.channel)).send(message, recipient))
    except TransportFailed as error:
        outcome = Outcome.of(error)
    except InvalidToken:
        log.exception("address_not_opened", page=bundle.first.pk, channel=bundle.first.channel)
        outcome = Outcome(problem="No key of ENCRYPTION_KEYS opens its address.", is_final=True)
    except Exception as error:
        log.exception("transport_broke", page=bundle.first.pk, channel=bundle.first.channel)
        outcome = Outcome(problem=f"The transport broke ({type(error).__name__}).")
    return Done(bundle, outcome, clock())


def record(done: Sequence[Done], *, owner: str) -> None:
    """Write down what became of attempts; pages change only if they are still this claim's.

    An attempt whose answer was lost may have arrived: it counts like one that a crash cut.
    """
    given_up = _recorded(done, owner=owner)
    _end_methods(done)
    for lost, at in given_up:
        undelivered.fall_back(lost, now=at)
    open_gates([each.bundle for each in done if each.outcome.problem])


@transaction.atomic
def _recorded(done: Sequence[Done], *, owner: str) -> list[tuple[list[Page], datetime]]:
    """Write it down; returns the pages that are lost, and when each message was given up."""
    tried = [(page, each) for each in done for page in each.bundle.pages]
    held = bulk.update_rows(
        Page,
        [{"id": page.pk, "owner": owner, **_standing(page, each)} for page, each in tried],
        matching={"owner": "owner", "attempts": "attempts"},
        only_if="state = 'sending'",
    )
    bulk.update_rows(
        Attempt,
        [_ended(number, each) for each in done for number in each.bundle.attempts],
        only_if="ended_at IS NULL",
    )
    _tell_methods(done)
    sent = [(page, each.at) for page, each in tried if page.pk in held and not each.outcome.problem]
    bulk.insert_rows(TimelineEntry, [_sent_entry(page, at) for page, at in sent])
    given_up = []
    for each in done:
        if lost := [p for p in each.bundle.pages if p.pk in held and _is_lost(p, each.outcome)]:
            undelivered.next_level_at_once(lost, each.outcome.problem, now=each.at)
            given_up.append((lost, each.at))
    return given_up


def _standing(page: Page, each: Done) -> dict[str, Any]:
    """Return where a page stands after an attempt, as columns."""
    outcome = each.outcome
    state, look_at = State.SENT, page.look_at
    if outcome.problem and _may_go_again(page, outcome):
        state = State.WAITING
        # What was one message is one again: all of it waits as long as what was tried most often.
        tried = max(beside.attempts for beside in each.bundle.pages)
        pause = BACKOFF[min(tried, len(BACKOFF)) - 1]
        look_at = each.at + max(pause, min(outcome.retry_after, LONGEST_WAIT))
    elif outcome.problem:
        state = State.UNCERTAIN if outcome.is_uncertain else State.FAILED
    return {
        "attempts": page.attempts,
        "state": state,
        "sent_at": None if outcome.problem else each.at,
        "provider_id": outcome.provider_id[:200],
        "problem": outcome.problem[:500],
        "look_at": look_at,
        "is_repeat": page.is_repeat or outcome.is_uncertain,
    }


def _may_go_again(page: Page, outcome: Outcome) -> bool:
    may_repeat = page.at_least_once or not outcome.is_uncertain
    return may_repeat and not outcome.is_final and page.attempts < MOST_ATTEMPTS


def _is_lost(page: Page, outcome: Outcome) -> bool:
    return bool(outcome.problem) and not _may_go_again(page, outcome)


def _ended(attempt: int, each: Done) -> dict[str, Any]:
    return {
        "id": attempt,
        "ended_at": each.at,
        "outcome": each.outcome.word,
        "provider_id": each.outcome.provider_id[:200],
        "problem": each.outcome.problem[:500],
    }


def _tell_methods(done: Sequence[Done]) -> None:
    """Note when methods last worked or failed; a failure opens one for the next try."""
    told = {each.bundle.first.method_id: each for each in done if each.bundle.first.method_id}
    methods = ContactMethod.objects.all()
    worked = sorted(pk for pk, each in told.items() if not each.outcome.problem)
    if worked:
        latest = max(told[pk].at for pk in worked)
        # To the second is enough, and spares a busy method's row.
        stale = ~Q(problem="") | Q(delivered_at=None) | Q(delivered_at__lt=latest - NOTED_EVERY)
        methods.filter(stale, pk__in=worked).update(delivered_at=latest, problem="")
    for pk in sorted(told.keys() - set(worked)):
        problem = told[pk].outcome.problem[:500]
        methods.filter(pk=pk).update(failed_at=told[pk].at, problem=problem, next_at=None)


def _end_methods(done: Sequence[Done]) -> None:
    """Switch off methods whose provider says that they have ended.

    Each in a transaction of its own, which holds no escalation while it waits for the audit. What
    cannot be done now, the next message by it does.
    """
    for each in done:
        number = each.bundle.first.method_id
        if each.outcome.is_gone and number is not None:
            try:
                switching.end_method(number, now=each.at)
            except DatabaseError:
                log.exception("method_not_ended", method=number)


def _sent_entry(page: Page, at: datetime) -> dict[str, Any]:
    again = ", again: the first send was cut" if page.is_repeat else ""
    return {
        "incident_id": page.incident_id,
        "at": at,
        "kind": TimelineEntry.Kind.PAGE,
        "act": "paged",
        "actor": "portal",
        "text": f"{page.target} by {page.channel}{again}.",
        "facts": {"page": page.key},
    }


def send_due(*, owner: str, clock: Clock, limit: int = 100) -> int:
    """Claim and send what is due, one after the other; returns how many messages were tried."""
    bundles = claim(owner=owner, now=clock(), limit=limit)
    for bundle in bundles:
        record([send(bundle, clock=clock)], owner=owner)
    return len(bundles)
