"""Escalations: begun and stopped with the incident; the pager fires them step by step (`firing`).

Whoever calls `begin` or `stop` holds the lock of the incident.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Max, Q, QuerySet

from accounts.models import ApiToken, User
from core.audit import Who
from core.errors import Conflict
from core.inserts import Inserts
from incidents.domain.lifecycle import OPEN
from incidents.domain.page_reasons import FALLBACK, OFFERED, STILL_ON_IT, TAKEN, TO_FALLBACK
from incidents.domain.severities import AT_LEAST_ONCE, CAN_WAIT
from incidents.models import EscalationRun, Incident, LadderSnapshot, Page, TimelineEntry
from incidents.queries.configuration import Configuration
from incidents.queries.walks import WAITING_FOR, present_walk
from incidents.services import pages, timeline
from incidents.services.pages import (
    ANY_OPEN,
    WANTED,
    Calls,
    Place,
    Way,
    Ways,
    ways_in_words,
)
from oncall.domain.escalations import (
    Phase,
    Step,
    Urgency,
    WorkingHours,
    after_working_time,
    carried_over,
    ladder_from,
)
from oncall.models import EscalationPolicy
from oncall.queries.policies import ladder_of, policy_for

__all__ = [
    "REASONS", "WAITING_FOR", "Plan", "ask_no_more", "begin", "due_at", "first_plan", "follow", "next_at_once", "page_fallback", "page_person",
    "plan_of", "stop", "tell_others",
]  # fmt: skip

State = EscalationRun.State
NOT_NEEDED = "Nobody needs to be called any more."
_NOBODY_LEFT = "Nobody is left to call: everybody was called, or it is over."
_CALLED_SINCE = (
    "Somebody was called since you looked, and nobody else now: see who, and escalate again if that"
    " is not enough."
)
_SAYS_AGAIN_AFTER = timedelta(hours=1)
# No ladder has so many steps: the second call of the fallback contact beside any walk is the next one.
_BESIDE_WALKS = 1000
# Nor is it called so often beside walks: those that were set aside count from here.
_SET_ASIDE = 20_000
# No ladder waits longer.
_LOOKS_AHEAD = timedelta(days=92)
REASONS = {Phase.UNACKNOWLEDGED: "escalation", Phase.UNRESOLVED: "unresolved"}


def begin(incident: Incident, phase: Phase, *, now: datetime) -> None:
    """Begin to call people for an incident's present cycle, where the phase calls anybody.

    Until it is acknowledged somebody is always called: without a policy, the fallback contact. What
    was begun in this cycle goes on, by the ladder of the present severity.
    """
    plan = plan_of(policy_for(incident.service), incident.severity, phase, day=now.date())
    runs = EscalationRun.objects.filter(incident=incident, cycle=incident.cycle, phase=phase)
    run = runs.select_related("snapshot").select_for_update(of=("self",)).first()
    inserts = Inserts()
    if run is not None:
        _go_on(run, plan, incident.severity, inserts, now=now)
    elif plan is not None:
        plan.begin(inserts, incident, now=now)
    inserts.write()


def follow(incident: Incident, *, now: datetime) -> None:
    """Let calling go on as an incident's present severity has it, where anybody is called at all."""
    phases = [phase for phase, status in WAITING_FOR.items() if status == incident.status]
    if phases and incident.snoozed_until is None:
        begin(incident, phases[0], now=now)


@dataclass(frozen=True)
class Plan:
    """How a policy calls people for one severity in one phase.

    Args:
        policy_name: Of the policy; "" without one.
        phase: What is waited for.
        snapshot: The ladder, as runs keep it.
        first: The first step; None where there is nobody to call.
    """

    policy_name: str
    phase: Phase
    snapshot: Mapping[str, Any]
    first: Step | None

    @cached_property
    def digest(self) -> str:
        """Name of the snapshot: equal ones have the same."""
        canonical = json.dumps(self.snapshot, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def keep(self, inserts: Inserts) -> None:
        """Add its ladder to what is to be inserted."""
        inserts.add_unless_there(LadderSnapshot, digest=self.digest, content=self.snapshot)

    def begin(self, inserts: Inserts, incident: Incident, *, now: datetime) -> None:
        """Add a run of it for an incident, with its ladder, to what is to be inserted."""
        due, first = now, self.first
        if first is not None:
            due = due_at(self.snapshot.get("hours"), first, first.after, now=now)
        self.keep(inserts)
        inserts.add_row(
            EscalationRun,
            incident_id=incident.pk,
            cycle=incident.cycle,
            phase=self.phase,
            policy_name=self.policy_name,
            snapshot_id=self.digest,
            started_at=now,
            due_at=due,
            look_at=due,
        )


def plan_of(
    policy: EscalationPolicy | None, severity: str, phase: Phase, *, day: date
) -> Plan | None:
    """Return what `begin` does by a policy that is known; None where the phase calls nobody.

    Args:
        policy: None: only the fallback contact is there.
        severity: P0 to P3.
        phase: What is waited for.
        day: On which it begins in UTC; holidays that follow it, wherever that is, are kept.
    """
    ladder = ladder_of(policy, severity, phase) if policy else None
    if ladder is None and phase is Phase.UNRESOLVED:
        return None
    snapshot: dict[str, Any] = (
        {"steps": [], "loops": 1, "repeat_after_s": 0.0} if ladder is None else ladder.to_json()
    )
    if policy is not None:
        snapshot["hours"] = _hours_to_json(policy, day)
    if policy is not None and ladder and any(step.is_in_turn for step in ladder.steps):
        snapshot["policy"] = str(policy.pk)
    first = ladder.steps[0] if ladder else None
    return Plan(policy.name if policy else "", phase, snapshot, first)


def first_plan(
    policy: EscalationPolicy | None, severity: str, *, day: date, configuration: Configuration
) -> Plan | None:
    """Return how a new incident calls people; made once a day while the configuration holds."""
    return configuration.once(
        ("plan", policy.pk if policy else None, severity, day),
        lambda: plan_of(policy, severity, Phase.UNACKNOWLEDGED, day=day),
    )


def stop(incident: Incident, *, now: datetime) -> None:
    """Call nobody any more: end the runs, and take back what has not been sent.

    While it is open, whoever it was given to is still told, and whoever is offered a role. Who was called
    in this cycle still hears that nobody is needed any more.
    """
    EscalationRun.objects.filter(incident=incident, state=State.RUNNING).update(
        state=State.STOPPED, ended_at=now
    )
    waiting = Page.objects.filter(incident=incident, state=Page.State.WAITING)
    if incident.status in WANTED[TAKEN]:
        waiting = waiting.exclude(reason=TAKEN, cycle=incident.cycle)
    if incident.status in ANY_OPEN:
        calls = Q(reason__in=WANTED) | Q(reason__startswith=STILL_ON_IT)
        offers = Q(reason__startswith=OFFERED)
        waiting = waiting.filter(calls | ~Q(cycle=incident.cycle) & ~offers)
    waiting.update(state=Page.State.CANCELLED, problem=NOT_NEEDED)


def ask_no_more(incident: Incident) -> None:
    """Take back what asks whether somebody is still on it: they have just shown that they are."""
    asked = Page.objects.filter(incident=incident, state=Page.State.WAITING)
    asked.filter(reason__startswith=STILL_ON_IT).update(
        state=Page.State.CANCELLED, problem=NOT_NEEDED
    )


def _go_on(
    run: EscalationRun, plan: Plan | None, severity: str, inserts: Inserts, *, now: datetime
) -> None:
    """Let a walk go on up the ladder of a plan; no level is called again that was called.

    Times count from the last call, or from now where calling had stopped. One that has called
    everybody stays as it is; one that was set aside is taken up again.
    """
    if run.state == State.EXHAUSTED:
        return
    if plan is None:
        run.state, run.ended_at = State.STOPPED, now
        waiting = Page.objects.filter(incident=run.incident_id, run=run, state=Page.State.WAITING)
        waiting.update(state=Page.State.CANCELLED, problem=NOT_NEEDED)
    else:
        _change_ladder(run, plan, severity, now=now)
        plan.keep(inserts)
    run.save()


def _change_ladder(run: EscalationRun, plan: Plan, severity: str, *, now: datetime) -> None:
    """Put a walk where it goes on; one that has called all of a ladder that does not repeat ends."""
    ladder, hours = ladder_from(plan.snapshot), plan.snapshot.get("hours")
    following = carried_over(run.ladder, ladder, run.loop, run.position)
    is_running = run.state == State.RUNNING
    # Brought forward, e.g. because nobody of the last step was reached.
    is_overdue = is_running and run.fired_at is not None and run.due_at <= now
    run.snapshot_id, run.policy_name, run.claims = plan.digest, plan.policy_name, 0
    if following is None and ladder.steps and severity not in AT_LEAST_ONCE and not is_overdue:
        run.state, run.ended_at = State.EXHAUSTED, now
        return
    run.state, run.ended_at = State.RUNNING, None
    run.loop, run.position, wait = following or (run.loop, len(ladder.steps), ladder.repeat_after)
    since = (run.fired_at or run.started_at) if is_running else now
    due = since + wait
    if run.position < len(ladder.steps):
        due = due_at(hours, ladder.steps[run.position], wait, now=since)
    run.due_at = run.look_at = now if is_overdue else max(now, due)


def next_at_once(incident: Incident, *, now: datetime, step: str = "") -> bool:
    """Have the next step fire now; returns whether it was not about to fire already.

    Args:
        incident: Locked.
        now: The present.
        step: Which one is meant (`EscalationRun.next_step`); "" is whichever is next.

    An escalation that was set aside goes on where it failed, by the policy of now: somebody may have
    repaired that.

    Raises:
        Conflict: Nobody is being called, or the step that is meant has fired.
    """
    run = present_walk(incident) if incident.status in OPEN else None
    if run is None:
        raise Conflict(_NOBODY_LEFT)
    if step not in ("", run.next_step):
        raise Conflict(_CALLED_SINCE)
    if run.state == State.QUARANTINED:
        _take_up(run, incident, now=now)
        return True
    running = EscalationRun.objects.filter(incident=incident, state=State.RUNNING)
    if step:
        running = running.filter(pk=run.pk, loop=run.loop, position=run.position)
    if not running.update(due_at=now, look_at=now):
        raise Conflict(_CALLED_SINCE)
    return run.due_at > now


def _take_up(run: EscalationRun, incident: Incident, *, now: datetime) -> None:
    """Call now, by the policy of now, whom a walk was about to call when it was set aside."""
    policy, phase = policy_for(incident.service), Phase(run.phase)
    plan = plan_of(policy, incident.severity, phase, day=now.date())
    if plan is not None:
        inserts = Inserts()
        _go_on(run, plan, incident.severity, inserts, now=now)
        inserts.write()
    taken = EscalationRun.objects.filter(pk=run.pk, state=State.RUNNING)
    if not taken.update(due_at=now, look_at=now):
        raise Conflict(_NOBODY_LEFT)
    incident.unreached = ""
    incident.save(update_fields=["unreached", "updated_at"])


def page_person(incident: Incident, person: User, reason: str, *, now: datetime) -> datetime:
    """Page one person; what can wait goes by their rules for low urgency, after quiet hours.

    Returns:
        From when on an answer may be expected: now, or when what can wait goes out first.
    """
    urgency = Urgency.LOW if incident.severity in CAN_WAIT else Urgency.HIGH
    ways, _ = Ways(now).of_person(person, urgency)
    place = Place(incident.cycle, incident.severity, reason, urgency=urgency)
    _insert(incident, place, ways, now)
    waits = urgency == Urgency.LOW and ways
    return min(way.at for way in ways) if waits else now


def tell_others(incident: Incident, *, actor: Who, now: datetime) -> int:
    """Tell those who were called in this cycle that nobody is needed any more; wakes nobody.

    By their rules for what can wait; who has none looks at the incident when they want to know.

    Args:
        incident: Acknowledged, mitigated or resolved just now, by the first who did any of these.
        actor: Who did, and knows.
        now: The present.

    Returns:
        How many pages that makes.
    """
    called = User.objects.filter(
        is_active=True,
        pages__incident=incident,
        pages__cycle=incident.cycle,
        pages__state__in=[Page.State.SENDING, Page.State.SENT],
        pages__reason__in=[*REASONS.values(), *TO_FALLBACK],
        notification_rules__urgency=Urgency.LOW,
    )
    knows = actor.user_id if isinstance(actor, ApiToken) else getattr(actor, "pk", None)
    others = called.exclude(pk=knows) if knows else called
    place = Place(incident.cycle, incident.severity, TAKEN, urgency=Urgency.LOW)
    ways = Ways(now)
    found = [way for person in others.order_by("pk").distinct() for way in ways.of_news(person)]
    return _insert(incident, place, found, now)


def page_fallback(
    incident: Incident,
    why: str,
    *,
    now: datetime,
    run: EscalationRun | None = None,
    loop: int | None = None,
    reason: str = FALLBACK,
) -> int:
    """Page the fallback contact and mark the incident, whatever else failed; returns the pages.

    Beside any walk it is called once an hour for one incident, and the same is said as often.

    Args:
        incident: Locked.
        why: In words.
        now: The present.
        run: The walk that calls nobody else.
        loop: The one of it that is over; None: it was set aside, which it may be more than once.
        reason: One of `pages.TO_FALLBACK`.
    """
    ways, whom = Ways(now).of_fallback()
    text, since = f"{why} Fallback contact: {whom}.", now - _SAYS_AGAIN_AFTER
    place = Place(incident.cycle, incident.severity, reason)
    if run is None:
        called = _called_beside_walks(incident)
        if called.filter(reason=reason, created_at__gt=since).exists():
            ways, text = [], f"{why} Fallback contact: {whom}, called within the hour."
        # Each time is a page of its own.
        last: int | None = called.aggregate(last=Max("step"))["last"]
        place = place._replace(step=0 if last is None else max(last, _BESIDE_WALKS) + 1)
    elif loop is not None:
        place = place._replace(loop=loop, step=len(run.ladder.steps) + 1)
    else:
        before = Page.objects.filter(run=run, loop=run.loop, step__gt=_SET_ASIDE)
        last = before.aggregate(last=Max("step"))["last"]
        place = place._replace(loop=run.loop, step=(last or _SET_ASIDE) + 1)
    made = _insert(incident, place, ways, now, run=run)
    if run is not None or not _is_said(incident, why, since):
        kind, tried = TimelineEntry.Kind.ESCALATION, ways_in_words(ways, now=now)
        timeline.write(incident, kind, FALLBACK, now=now, text=text, ways=tried)
    if incident.unreached != why[:500]:
        incident.unreached = why[:500]
        incident.save(update_fields=["unreached", "updated_at"])
    return made


def _called_beside_walks(incident: Incident) -> QuerySet[Page]:
    return Page.objects.filter(
        incident=incident, cycle=incident.cycle, reason__in=TO_FALLBACK, run=None
    )


def _is_said(incident: Incident, why: str, since: datetime) -> bool:
    said = TimelineEntry.objects.filter(incident=incident, act=FALLBACK, at__gt=since)
    return said.filter(text__startswith=why).exists()


def _insert(
    incident: Incident,
    place: Place,
    ways: Iterable[Way],
    now: datetime,
    *,
    run: EscalationRun | None = None,
) -> int:
    of = [(incident.pk, run.pk if run else None)]
    return pages.insert([Calls(place, way, of) for way in ways], now=now)


def due_at(
    hours: Mapping[str, Any] | None, step: Step, wait: timedelta, *, now: datetime
) -> datetime:
    """Return when a step fires that follows after `wait`, of working time where it asks for that.

    Args:
        hours: Working hours as a run's snapshot has them.
        step: The one that follows.
        wait: How long after `now`.
        now: The present.
    """
    if not step.in_working_hours or not hours:
        return now + wait
    return after_working_time(now, wait, _hours_from(hours))


def _hours_to_json(policy: EscalationPolicy, today: date) -> dict[str, Any]:
    hours = policy.working_hours
    # West of Greenwich the day before may not be over.
    first, last = today - timedelta(days=1), today + _LOOKS_AHEAD
    days_off = policy.holidays.dates.between(first, last) if policy.holidays else ()
    return {
        "zone": str(hours.zone),
        "begins": hours.begins.isoformat(),
        "ends": hours.ends.isoformat(),
        "weekdays": sorted(hours.weekdays),
        "holidays": [day.isoformat() for day, _ in days_off],
    }


def _hours_from(stored: Mapping[str, Any]) -> WorkingHours:
    return WorkingHours(
        ZoneInfo(stored["zone"]),
        time.fromisoformat(stored["begins"]),
        time.fromisoformat(stored["ends"]),
        frozenset(stored["weekdays"]),
        frozenset(map(date.fromisoformat, stored.get("holidays", ()))),
    )
