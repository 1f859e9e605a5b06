"""Escalations: begun and stopped with the incident, fired by the pager step by step.

Whoever calls `begin` or `stop` holds the lock of the incident. `fire` takes it itself and looks
again, so that two pagers, an acknowledgement and a late claim never make a page twice or too late.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import User
from incidents.domain.lifecycle import Status
from incidents.models import EscalationRun, Incident, Page, TimelineEntry
from incidents.services import timeline
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from notifications.queries.rules import plan_for
from oncall.domain.escalations import (
    Phase,
    Step,
    Urgency,
    WorkingHours,
    after_working_time,
    next_position,
)
from oncall.models import EscalationPolicy
from oncall.queries.fallbacks import fallback_people
from oncall.queries.policies import ladder_of, policy_for
from oncall.queries.targets import called_by

__all__ = ["begin", "fire", "next_at_once", "page_fallback", "page_person", "stop"]

State = EscalationRun.State
WAITING_FOR = {Phase.UNACKNOWLEDGED: Status.TRIGGERED, Phase.UNRESOLVED: Status.ACKNOWLEDGED}
REASONS = {Phase.UNACKNOWLEDGED: "escalation", Phase.UNRESOLVED: "unresolved"}
FALLBACK = "fallback"
# Whoever is called for these may be called twice rather than not at all.
AT_LEAST_ONCE = frozenset({"P0", "P1"})


def begin(incident: Incident, phase: Phase, *, now: datetime) -> EscalationRun | None:
    """Begin to call people for an incident's present cycle; None where the phase calls nobody.

    Until it is acknowledged somebody is always called: without a policy, the fallback contact.
    """
    policy = policy_for(incident.service)
    ladder = ladder_of(policy, incident.severity, phase) if policy else None
    if ladder is None and phase is Phase.UNRESOLVED:
        return None
    snapshot = (
        {"steps": [], "loops": 1, "repeat_after_s": 0.0} if ladder is None else ladder.to_json()
    )
    if policy is not None:
        snapshot["hours"] = _hours_to_json(policy)
    run = EscalationRun(
        incident=incident,
        cycle=incident.cycle,
        phase=phase,
        policy_name=policy.name if policy else "",
        snapshot=snapshot,
        started_at=now,
    )
    first = ladder.steps[0] if ladder else None
    run.due_at = run.look_at = _due(run, first, first.after, now) if first else now
    run.save(force_insert=True)
    return run


def stop(incident: Incident, *, now: datetime) -> None:
    """Call nobody any more: end the runs, and take back what has not been sent."""
    EscalationRun.objects.filter(incident=incident, state=State.RUNNING).update(
        state=State.STOPPED, ended_at=now
    )
    Page.objects.filter(incident=incident, state=Page.State.WAITING).update(
        state=Page.State.CANCELLED, problem="Nobody needs to be called any more."
    )


def next_at_once(incident: Incident, *, now: datetime) -> bool:
    """Have the next step fire now; returns whether anybody is being called at all."""
    running = EscalationRun.objects.filter(incident=incident, state=State.RUNNING)
    return bool(running.update(due_at=now, look_at=now))


def fire(run: EscalationRun, *, now: datetime) -> int:
    """Fire the step that is due and set when the next one is; returns how many pages it made.

    Args:
        run: As it was claimed; read again under the incident's lock.
        now: The present; the next step is counted from it, not from when this one was due.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=run.incident_id)
    claimed_look_at = run.look_at
    run = EscalationRun.objects.select_for_update(of=("self",)).get(pk=run.pk)
    if run.state != State.RUNNING or run.due_at > now or run.look_at != claimed_look_at:
        return 0
    if not _is_wanted(run, incident):
        stop(incident, now=now)
        return 0
    ladder = run.ladder
    if not ladder.steps:
        return _end(run, incident, "No escalation policy calls anybody for it.", now=now)
    step = ladder.steps[run.position]
    made, reached = _call(run, incident, step, now=now)
    following = next_position(ladder, run.loop, run.position)
    run.claims, run.fired_at = 0, now
    if following is None:
        nobody = not reached and not run.pages.exclude(reason=FALLBACK).exists()
        why = "Nobody could be called." if nobody else "Everybody was called, nobody answered."
        if nobody or incident.severity in AT_LEAST_ONCE:
            return made + _end(run, incident, why, now=now)
        run.state, run.ended_at = State.EXHAUSTED, now
        run.save(update_fields=["state", "ended_at", "claims", "fired_at"])
        return made
    run.loop, run.position, wait = following
    after = ladder.steps[run.position]
    run.due_at = run.look_at = _due(run, after, wait, now) if reached else now
    run.save(update_fields=["loop", "position", "due_at", "look_at", "claims", "fired_at"])
    return made


def _is_wanted(run: EscalationRun, incident: Incident) -> bool:
    return run.cycle == incident.cycle and incident.status == WAITING_FOR[Phase(run.phase)]


def _call(run: EscalationRun, incident: Incident, step: Step, *, now: datetime) -> tuple[int, bool]:
    """Page whom a step calls; returns how many pages that made, and whether it reaches anybody."""
    called = called_by(_whose_turn(step, incident), now)
    place = _Place(
        incident,
        REASONS[Phase(run.phase)],
        run=run,
        loop=run.loop,
        step=run.position + 1,
        level=step.level,
        urgency=step.urgency,
    )
    missing, reached = list(called.missing), bool(called.channels)
    pages = [place.page(None, channel, now, now=now) for channel in called.channels]
    for person in called.people:
        own, is_reachable = place.pages_for(person, now=now)
        pages += own
        reached = reached or is_reachable
        if not is_reachable:
            missing.append(f"{person} has no verified way to be reached.")
    made = _insert(pages)
    whom = [str(person) for person in called.people] + [str(c) for c in called.channels]
    timeline.write(
        incident,
        TimelineEntry.Kind.ESCALATION,
        "call",
        now=now,
        text=" ".join([f"L{step.level}: {', '.join(whom) or 'nobody'}.", *missing]),
        level=step.level,
        loop=run.loop,
        missing=missing,
    )
    if missing and not reached:
        incident.unreached = " ".join(missing)[:500]
        incident.save(update_fields=["unreached", "updated_at"])
    return made, reached


def _whose_turn(step: Step, incident: Incident) -> Sequence[Any]:
    """Return the targets of a step; of a round robin the next one, by the incident's number."""
    if step.mode != "round_robin" or not step.targets:
        return step.targets
    return [step.targets[(incident.pk + incident.cycle) % len(step.targets)]]


@dataclass(frozen=True)
class _Place:
    """Where in the calling for an incident a page is made: all that its key is made of."""

    incident: Incident
    reason: str
    run: EscalationRun | None = None
    loop: int = 0
    step: int = 0
    level: int = 0
    urgency: str = Urgency.HIGH

    def pages_for(self, person: User, *, now: datetime) -> tuple[list[Page], bool]:
        """Return unsaved pages to a person, and whether any of their own methods is among them.

        Without any, the account's email address is tried: silence would be worse.
        """
        plan = plan_for(person, self.urgency, now)
        if plan:
            return [self.page(person, each.method, each.at, now=now) for each in plan], True
        return [self.page(person, None, now, now=now)] if person.email else [], False

    def page(
        self, person: User | None, method: ContactMethod | None, at: datetime, *, now: datetime
    ) -> Page:
        """Return an unsaved page."""
        target = f"user:{person.username}" if person else f"channel:{method.pk}"  # type: ignore[union-attr]
        cycle, method_id = self.incident.cycle, method.pk if method else 0
        parts = (
            self.incident.pk, cycle, self.loop, self.step, target, method_id, self.reason,
        )  # fmt: skip
        return Page(
            key=hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest(),
            incident=self.incident,
            run=self.run,
            cycle=cycle,
            loop=self.loop,
            step=self.step,
            level=self.level,
            person=person,
            method=method,
            target=target,
            channel=method.kind if method else Kind.EMAIL,
            reason=self.reason,
            urgency=self.urgency,
            severity=self.incident.severity,
            at_least_once=self.incident.severity in AT_LEAST_ONCE,
            created_at=now,
            due_at=at,
            look_at=at,
        )


def page_person(incident: Incident, person: User, reason: str, *, now: datetime) -> int:
    """Page one person now by all they want for high urgency; returns how many pages it made."""
    pages, _ = _Place(incident, reason).pages_for(person, now=now)
    return _insert(pages)


def page_fallback(
    incident: Incident, why: str, *, now: datetime, run: EscalationRun | None = None
) -> int:
    """Page the fallback contact and mark the incident, whatever else failed; returns the pages."""
    people, channels = fallback_people()
    place = _Place(incident, FALLBACK)
    if run is not None:
        place = replace(place, run=run, loop=run.loop, step=run.position + 1)
    pages = [place.page(None, channel, now, now=now) for channel in channels]
    for person in people:
        pages += place.pages_for(person, now=now)[0]
    made = _insert(pages)
    whom = ", ".join([*map(str, people), *map(str, channels)])
    timeline.write(
        incident,
        TimelineEntry.Kind.ESCALATION,
        "fallback",
        now=now,
        text=f"{why} Fallback contact: {whom or 'nobody either'}.",
    )
    incident.unreached = why[:500]
    incident.save(update_fields=["unreached", "updated_at"])
    return made


def _end(run: EscalationRun, incident: Incident, why: str, *, now: datetime) -> int:
    run.state, run.ended_at, run.claims, run.fired_at = State.EXHAUSTED, now, 0, now
    run.save(update_fields=["state", "ended_at", "claims", "fired_at"])
    return page_fallback(incident, why, now=now, run=run)


def _insert(pages: Iterable[Page]) -> int:
    """Insert pages; one that exists already, by its key, is left as it is."""
    rows = list(pages)
    Page.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _due(run: EscalationRun, step: Step, wait: timedelta, now: datetime) -> datetime:
    hours = run.snapshot.get("hours")
    if not step.in_working_hours or not hours:
        return now + wait
    return after_working_time(now, wait, _hours_from(hours))


def _hours_to_json(policy: EscalationPolicy) -> dict[str, Any]:
    hours = policy.working_hours
    return {
        "zone": str(hours.zone),
        "begins": hours.begins.isoformat(),
        "ends": hours.ends.isoformat(),
        "weekdays": sorted(hours.weekdays),
    }


def _hours_from(stored: dict[str, Any]) -> WorkingHours:
    return WorkingHours(
        ZoneInfo(stored["zone"]),
        time.fromisoformat(stored["begins"]),
        time.fromisoformat(stored["ends"]),
        frozenset(stored["weekdays"]),
    )
