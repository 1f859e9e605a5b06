"""What the pager does when a step or a deadline is due: each in a transaction of its own.

A row that fails is tried again when its claim runs out; at the fifth failure it is set aside, and
the fallback contact is called for it: a poison row neither holds up the others nor is forgotten.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from accounts.models import User
from core.again import again_if_crossed
from incidents.domain.lifecycle import OPEN, Status
from incidents.domain.page_reasons import FALLBACK, SET_ASIDE, STILL_ON_IT
from incidents.domain.response_targets import Standing
from incidents.models import (
    Acknowledgement,
    Alert,
    Deadline,
    EscalationRun,
    Incident,
    Silence,
    TimelineEntry,
)
from incidents.queries.silences import first_match
from incidents.services import (
    deadlines,
    escalation,
    firing,
    grouping,
    lifecycle,
    silences,
    timeline,
)
from incidents.services.acts import Acts
from incidents.services.claims import LEASE, MOST_CLAIMS, Queue, is_any_due
from incidents.services.firing import Claimed

__all__ = ["Queues", "call_for_held", "end_silences"]

log = structlog.get_logger(__name__)
Kind = Deadline.Kind
ANSWER_WITHIN = timedelta(minutes=5)
# What comes in while its silence ends is there soon afterwards.
_HELD_WITHIN = timedelta(days=1)
# And so soon what comes in while its silence is changed.
_CHANGED_WITHIN = timedelta(minutes=5)


class Queues:
    """What a pager looks at; each pager has its own, for what they remember of their last look.

    Steps are taken and fired in one transaction. Only the first ones of a pager are claimed before,
    and those after a failure: what ended the pager before this one is still due, the longest of
    all, so it is among them, and the claim tells on it.
    """

    def __init__(self) -> None:
        self.steps = firing.queue()
        self.deadlines = Queue(Deadline, "is_open", ("id", "incident_id", "kind", "claims"))
        self._claims_first = True
        self._is_behind = False

    def fire_steps(self, *, now: datetime, limit: int = 2000) -> int:
        """Fire every escalation step that is due; returns how many were taken or claimed."""
        # Where so many were due, there are more: asking whether would only take time.
        if not self._is_behind and not self.steps.has_due(now=now):
            return 0
        taken = 0 if self._claims_first else self._fire_at_once(now=now, limit=limit)
        self._is_behind = taken == limit
        if self._is_behind:
            return taken
        suspects_only = not self._claims_first
        self._claims_first = False
        rows = self.steps.claim(now=now, limit=limit, suspects_only=suspects_only)
        claims = [Claimed.of(row, now + LEASE) for row in rows]
        # One that an earlier claim did not survive is no company for others.
        suspects = [claim for claim in claims if claim.claims > 1]
        together = [claim for claim in claims if claim.claims == 1]
        for claim in (*suspects, *self._fired_together(together, now=now)):
            if claim.claims > MOST_CLAIMS:
                _alone(partial(_set_run_aside, claim, now=now), claim.run, "step")
            else:
                _alone(partial(firing.fire, [claim], now=now), claim.run, "step")
        return taken + len(claims)

    def _fire_at_once(self, *, now: datetime, limit: int) -> int:
        try:
            return firing.fire_due(self.steps, now=now, limit=limit)
        except Exception:
            if not connection.is_usable():
                raise
            log.exception("steps_failed_together")
            self._claims_first = True
            return 0

    def _fired_together(self, claims: list[Claimed], *, now: datetime) -> list[Claimed]:
        """Fire many steps; returns those to be fired one by one: some failed, or are held."""
        if len(claims) < 2:
            return claims
        try:
            return firing.fire(claims, now=now, wait=False)
        except Exception:
            if not connection.is_usable():
                raise
            log.exception("steps_failed_together", steps=len(claims))
            self._claims_first = True
            return claims

    def fire_deadlines(self, *, now: datetime, limit: int = 100) -> int:
        """Do what is due about incidents: timers, snoozes, holds; returns how many were claimed."""
        rows = self.deadlines.claim(now=now, limit=limit)
        for pk, incident, kind, claims in rows:
            if claims > MOST_CLAIMS:
                aside = partial(_set_deadline_aside, pk, incident, Kind(kind), now=now)
                _alone(aside, pk, "deadline")
            else:
                _alone(partial(_meet, pk, incident, now=now), pk, "deadline")
        return len(rows)


def end_silences(*, now: datetime, limit: int = 50) -> int:
    """Call for what still fires after its silence has ended; returns how many silences ended."""
    if not is_any_due(Silence, "NOT is_ended", ["ends_at"], now=now):
        return 0
    ended = Silence.objects.filter(is_ended=False, ends_at__lte=now).order_by("ends_at")[:limit]
    count = 0
    for silence in ended:
        count += _alone(partial(_end_silence, silence, now=now), silence.pk, "silence")
    return count


def call_for_held(*, now: datetime, since: datetime | None = None) -> int:
    """Call for what a silence holds back no longer; returns how many silences those were.

    An alert that was being taken in when its silence ended, or was changed, was not seen by whoever did that.

    Args:
        now: The present.
        since: When this was done last; None: not since who knows when, so of all silences, whenever they changed.
    """
    held = Alert.objects.firing().filter(incident=None, pages=True)
    of_ended = held.filter(silenced_by__is_ended=True)
    if since is not None:
        of_ended = of_ended.filter(silenced_by__ends_at__gt=min(now, since) - _HELD_WITHIN)
    ended = Silence.objects.filter(pk__in=of_ended.values("silenced_by")).order_by("pk")
    lax = _lax_silences(held, since and min(now, since) - _CHANGED_WITHIN, now=now)
    return sum(
        _alone(partial(silences.release, silence, now=now), silence.pk, "silence")
        for silence in (*ended, *lax)
    )


def _lax_silences(held: QuerySet[Alert], since: datetime | None, *, now: datetime) -> list[Silence]:
    """Return silences that were changed since and do not cover all that they held back meanwhile."""
    running = Silence.objects.filter(is_ended=False, ends_at__gt=now)
    if since is not None:
        running = running.filter(updated_at__gt=since)
        # Whoever changed one saw what was there long before.
        held = held.filter(last_seen_at__gt=since - _CHANGED_WITHIN)
    changed = running.in_bulk()
    if not changed:
        return []
    fresh = held.filter(silenced_by__in=changed)
    told = ("title", "severity", "source", "labels", "service", "silenced_by")
    lax = set()
    for alert in fresh.only(*told).iterator(2000):
        silence = changed[alert.silenced_by_id]
        if silence.starts_at > now or first_match(alert, [silence]) is None:
            lax.add(silence.pk)
    return [changed[pk] for pk in sorted(lax)]


def _alone(work: Callable[[], object], pk: int, what: str) -> bool:
    """Do one row's work in its own transaction; a failure is logged and left for the next claim.

    What another transaction crossed is done again at once: nobody waits for a claim to run out.
    """
    try:
        again_if_crossed(transaction.atomic(work))()
    except DatabaseError:
        # The connection may be gone with it; the next row finds out by itself.
        log.exception("due_row_failed", kind=what, row=pk)
        return False
    except Exception:
        log.exception("due_row_failed", kind=what, row=pk)
        return False
    return True


@transaction.atomic
def _set_run_aside(claim: Claimed, *, now: datetime) -> None:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=claim.incident)
    run = EscalationRun.objects.get(pk=claim.run)
    aside = EscalationRun.objects.filter(pk=claim.run, state=EscalationRun.State.RUNNING)
    if aside.update(state=EscalationRun.State.QUARANTINED, ended_at=now):
        why = f"The escalation failed {MOST_CLAIMS} times and was set aside."
        escalation.page_fallback(incident, why, now=now, run=run, reason=_reason(incident))


@transaction.atomic
def _set_deadline_aside(
    deadline: int, incident_id: int, kind: Deadline.Kind, *, now: datetime
) -> None:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    if Deadline.objects.filter(pk=deadline, is_open=True).update(is_open=False):
        why = f"“{kind.label}” failed {MOST_CLAIMS} times and was set aside."
        escalation.page_fallback(incident, why, now=now, reason=_reason(incident))
        if incident.status in OPEN:
            _follow_up(incident, kind, now=now)


def _reason(incident: Incident) -> str:
    """Return why the fallback contact is called: an answer must not take it back that came before."""
    return FALLBACK if incident.status == Status.TRIGGERED else SET_ASIDE


def _meet(deadline: int, incident_id: int, *, now: datetime) -> None:
    """Do what one deadline is about, if it still is: the incident's lock comes first."""
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    fresh = Deadline.objects.select_for_update().get(pk=deadline)
    if not fresh.is_open or fresh.due_at > now:
        return
    fresh.is_open = False
    fresh.save(update_fields=["is_open"])
    if incident.status in OPEN:
        _MEANINGS[Kind(fresh.kind)](incident, now)
        _follow_up(incident, Kind(fresh.kind), now=now)


def _follow_up(incident: Incident, kind: Deadline.Kind, *, now: datetime) -> None:
    """Set what a warning is about, or do it where it is due."""
    if (after := deadlines.follow(incident, kind, now=now)) is not None:
        _MEANINGS[after](incident, now)


def _standing(field: str, standing: Standing) -> Callable[[Incident, datetime], None]:
    def passed(incident: Incident, now: datetime) -> None:
        if not Standing(getattr(incident, field)).precedes(standing):
            return
        setattr(incident, field, standing)
        incident.save(update_fields=[field, "updated_at"])
        text = f"{field.capitalize()} {standing.replace('_', ' ')}."
        timeline.write(incident, TimelineEntry.Kind.TIMER, field, now=now, text=text)

    return passed


def _wake(incident: Incident, now: datetime) -> None:
    if incident.status != Status.ACKNOWLEDGED or incident.snoozed_until is None:
        return
    acts = Acts()
    lifecycle.unacknowledge_locked(incident, acts, now=now, actor=None, why="The snooze ended.")
    acts.record(now=now)


def _auto_resolve(incident: Incident, now: datetime) -> None:
    if incident.held_until is None:
        return
    if incident.pk not in grouping.holds([incident]):
        # Something else came into it meanwhile.
        incident.held_until = None
        incident.save(update_fields=["held_until", "updated_at"])
        return
    acts = Acts()
    why = "All alerts have ended and none came back."
    by = grouping.ended_by(incident)
    lifecycle.resolve_locked(incident, acts, now=now, actor=by, why=why)
    acts.record(now=now)


def _still_on_it(incident: Incident, now: datetime) -> None:
    """Ask whoever works on it; without an answer of any people are called from the beginning."""
    if incident.status != Status.ACKNOWLEDGED:
        return
    people, why = _who_took_it_on(incident), f"{STILL_ON_IT} {now:%H%M%S}"
    asked_at = [escalation.page_person(incident, each, why, now=now) for each in people]
    deadlines.put(incident, {Kind.ACK_LAPSE: max(asked_at, default=now) + ANSWER_WITHIN})
    text = f"Asked {', '.join(map(str, people)) or 'nobody'}: still on it?"
    timeline.write(incident, TimelineEntry.Kind.TIMER, "still_on_it", now=now, text=text)


def _who_took_it_on(incident: Incident) -> list[User]:
    """Return who works on it, or says so: whose it is, else who answered last, and where several had to, all."""
    answers = Acknowledgement.objects.filter(incident=incident, cycle=incident.cycle)
    first = incident.assigned_to or User.objects.filter(username=incident.acknowledged_by).first()
    others = User.objects.filter(pk__in=answers.values("person")).order_by("username")
    people = {each.pk: each for each in (first, *others) if each is not None and each.is_active}
    return [*people.values()]


def _lapse(incident: Incident, now: datetime) -> None:
    if incident.status != Status.ACKNOWLEDGED:
        return
    acts = Acts()
    why = "No sign of whoever acknowledged it."
    lifecycle.unacknowledge_locked(incident, acts, now=now, actor=None, why=why)
    acts.record(now=now)


_MEANINGS: dict[Deadline.Kind, Callable[[Incident, datetime], None]] = {
    Kind.RESPONSE_AT_RISK: _standing("response", Standing.AT_RISK),
    Kind.RESPONSE_BREACHED: _standing("response", Standing.BREACHED),
    Kind.RESOLUTION_AT_RISK: _standing("resolution", Standing.AT_RISK),
    Kind.RESOLUTION_BREACHED: _standing("resolution", Standing.BREACHED),
    Kind.SNOOZE_ENDS: _wake,
    Kind.AUTO_RESOLVE: _auto_resolve,
    Kind.ACK_TIMEOUT: _still_on_it,
    Kind.ACK_LAPSE: _lapse,
}


def _end_silence(silence: Silence, *, now: datetime) -> None:
    # Somebody may have prolonged it since it was seen.
    over = Silence.objects.filter(pk=silence.pk, is_ended=False, ends_at__lte=now)
    if over.update(is_ended=True):
        silences.release(silence, now=now)
