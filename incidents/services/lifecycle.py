"""Everything that changes where an incident stands: one function per transition.

Each locks the incident, asks the table, writes the incident with its timeline, timers and
escalation, and records the audit last, in one transaction.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.inserts import Inserts, made
from incidents.domain.lifecycle import OPEN, Action, Status
from incidents.domain.response_targets import Standing, standing_at
from incidents.domain.severities import AT_LEAST_ONCE
from incidents.models import Deadline, Incident, TimelineEntry
from incidents.queries.configuration import Configuration, current
from incidents.queries.judgement import worst_firing, worst_judged
from incidents.queries.outlook import UNKNOWN, Outlook
from incidents.queries.quorum import Quorum
from incidents.queries.targets import response_target
from incidents.services import deadlines, escalation, timeline
from incidents.services.acts import Acts, name_of
from incidents.services.closing import close
from incidents.services.ended_alerts import end_alerts
from incidents.services.quorum import count_answer
from incidents.services.transitions import (
    call_accordingly,
    call_anew,
    calling_ended,
    changes,
    moved,
    past_opening,
    promise_accordingly,
    quiet,
    responded,
    watch,
)
from oncall.domain.escalations import Phase

__all__ = [
    "Opening",
    "acknowledge",
    "acknowledge_locked",
    "assign",
    "close",
    "declare",
    "escalate",
    "mitigate",
    "note",
    "open_incident",
    "open_incidents",
    "raise_severity",
    "reopen",
    "resolve",
    "resolve_locked",
    "set_severity",
    "snooze",
    "unacknowledge",
    "unacknowledge_locked",
]

Kind = TimelineEntry.Kind
LONGEST_SNOOZE = timedelta(days=7)


@dataclass(frozen=True)
class Opening:
    """What an incident begins with.

    Args:
        group: Digest of what belongs to it while it is open; "" makes it one of its own.
        severity: P0 to P3.
        title: One sentence for a phone's lock screen.
        service_id: Whose it is.
        integration_id: Through which it came.
        summary: What is known.
        is_severity_set: Whether a person chose the severity.
        is_flapping: Whether what it is about came and went several times of late.
    """

    severity: str
    title: str
    service_id: int | None = None
    integration_id: int | None = None
    group: str = ""
    summary: str = ""
    is_severity_set: bool = False
    is_flapping: bool = False


def open_incident(opening: Opening, acts: Acts, *, now: datetime, actor: Who = None) -> Incident:
    """Open an incident and begin to call people, within the caller's transaction.

    Raises:
        django.db.IntegrityError: One of its group is open already.
    """
    inserts = Inserts()
    (incident,) = open_incidents([(opening, actor)], acts, inserts, current(), now=now)
    inserts.write()
    return incident


def open_incidents(
    openings: Sequence[tuple[Opening, Who]],
    acts: Acts,
    inserts: Inserts,
    configuration: Configuration,
    *,
    now: datetime,
    outlook: Outlook = UNKNOWN,
) -> list[Incident]:
    """Open incidents, each by somebody, and begin to call people; the caller writes `inserts`."""
    if not openings:
        return []
    keys = outlook.reserve(Incident, len(openings))
    policies = configuration.policies({opening.service_id for opening, _ in openings})
    found = []
    for key, (opening, actor) in zip(keys, openings, strict=True):
        incident = made(
            Incident,
            id=key,
            service_id=opening.service_id,
            integration_id=opening.integration_id,
            group=opening.group or secrets.token_hex(32),
            severity=opening.severity,
            is_severity_set=opening.is_severity_set,
            is_flapping=opening.is_flapping,
            title=opening.title[:1024],
            summary=opening.summary,
            opened_at=now,
        )
        due = deadlines.first_clocks(incident, configuration.target(incident.severity))
        policy = policies[incident.service_id]
        inserts.add(incident)
        plan = escalation.first_plan(
            policy, incident.severity, day=now.date(), configuration=configuration
        )
        if plan is not None:
            plan.begin(inserts, incident, now=now)
        deadlines.add(inserts, incident, due)
        timeline.add(
            inserts, incident, Kind.OPENED, "open", now=now, actor=actor, text=opening.title
        )
        acts.add("incident.opened", incident, actor)
        found.append(incident)
    return found


@transaction.atomic
def declare(opening: Opening, *, now: datetime, actor: Who) -> Incident:
    """Open an incident because a person says so.

    Raises:
        InvalidInput: It has no title.
    """
    if not opening.title.strip():
        raise InvalidInput("Say in one sentence what is wrong.", field="title")
    acts = Acts()
    incident = open_incident(opening, acts, now=now, actor=actor)
    acts.record(now=now)
    return incident


def acknowledge_locked(
    incident: Incident, acts: Acts, *, now: datetime, actor: Who, person: User | None = None
) -> None:
    """Say that somebody works on it: nobody else is called for now.

    Where a level that was called asks for several people, calling goes on until so many have said
    so. Again, by whoever it was, changes nothing but is written down; it counts as activity.
    """
    if incident.status == Status.ACKNOWLEDGED and incident.snoozed_until is None:
        timeline.write(incident, Kind.ACTION, "acknowledge", now=now, actor=actor)
        watch(incident, now=now)
        return
    is_new = incident.status != Status.ACKNOWLEDGED
    if incident.status == Status.TRIGGERED:
        answers = count_answer(incident, now=now, actor=actor, person=person)
        if not answers.is_reached:
            text = f"{answers}: calling goes on."
            _answered_in_part(incident, acts, answers, text, now=now, actor=actor)
            return
    if is_new:
        incident.status = moved(incident, Action.ACKNOWLEDGE)
    _take_on(incident, actor, person, now=now)
    incident.snoozed_until = None
    deadlines.clear(incident, [Deadline.Kind.SNOOZE_ENDS])
    incident.save()
    escalation.stop(incident, now=now)
    if is_new:
        escalation.tell_others(incident, actor=person, now=now)
    escalation.begin(incident, Phase.UNRESOLVED, now=now)
    watch(incident, now=now)
    timeline.write(incident, Kind.ACTION, "acknowledge", now=now, actor=actor)
    acts.add("incident.acknowledged", incident, actor)


@changes
def snooze(
    incident: Incident,
    acts: Acts,
    *,
    until: datetime,
    now: datetime,
    actor: Who,
    person: User | None = None,
) -> None:
    """Call nobody until then; whoever is on call at that time is called anew.

    Where a level that was called asks for several people it is an answer like others: while some are
    missing, calling goes on and nothing is snoozed.

    Raises:
        InvalidInput: It would end before now, or in more than a week.
    """
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidInput("A snooze ends later than now, within a week.", field="until")
    is_new = incident.status == Status.TRIGGERED
    if is_new:
        answers = count_answer(incident, now=now, actor=actor, person=person)
        if not answers.is_reached:
            text = f"{answers}: calling goes on, and nothing is snoozed."
            _answered_in_part(incident, acts, answers, text, now=now, actor=actor)
            return
    incident.status = moved(incident, Action.SNOOZE)
    _take_on(incident, actor, person, now=now)
    incident.snoozed_until = until
    incident.save()
    quiet(incident, now=now)
    if is_new:
        escalation.tell_others(incident, actor=person, now=now)
    deadlines.put(incident, {Deadline.Kind.SNOOZE_ENDS: until})
    timeline.write(
        incident, Kind.ACTION, "snooze", now=now, actor=actor, until=until.isoformat(),
        text=f"Until {until:%Y-%m-%d %H:%M} UTC.",
    )  # fmt: skip
    acts.add("incident.snoozed", incident, actor, until=until)


def unacknowledge_locked(
    incident: Incident, acts: Acts, *, now: datetime, actor: Who, why: str = ""
) -> None:
    """Say that nobody works on it any more: people are called from the beginning."""
    incident.status = moved(incident, Action.UNACKNOWLEDGE)
    call_anew(incident, now=now)
    timeline.write(incident, Kind.ACTION, "unacknowledge", now=now, actor=actor, text=why)
    acts.add("incident.unacknowledged", incident, actor)


@changes
def mitigate(incident: Incident, acts: Acts, *, now: datetime, actor: Who) -> None:
    """Say that users no longer notice it; the cause is still to be removed."""
    is_new = incident.status == Status.TRIGGERED
    incident.status = moved(incident, Action.MITIGATE)
    incident.mitigated_at, incident.snoozed_until = now, None
    calling_ended(incident, now=now)
    incident.save()
    quiet(incident, now=now)
    if is_new:
        escalation.tell_others(incident, actor=actor, now=now)
    timeline.write(incident, Kind.ACTION, "mitigate", now=now, actor=actor)
    acts.add("incident.mitigated", incident, actor)


def resolve_locked(
    incident: Incident, acts: Acts, *, now: datetime, actor: Who = None, why: str = ""
) -> None:
    """Say that it is over; alerts of it that still fire end with it.

    What fires again afterwards is a new alert, and a new incident.
    """
    is_new = incident.status == Status.TRIGGERED
    incident.status = moved(incident, Action.RESOLVE)
    incident.resolved_at, incident.resolved_by = past_opening(incident, now=now), name_of(actor)
    incident.held_until = incident.snoozed_until = None
    incident.unreached = ""
    calling_ended(incident, now=now)
    target = response_target(incident.severity)
    incident.resolution = standing_at(incident.opened_at, target.resolve_within, now, now)
    incident.save()
    quiet(incident, now=now)
    if is_new:
        escalation.tell_others(incident, actor=actor, now=now)
    deadlines.clear(incident, Deadline.Kind)
    end_alerts(incident, actor, now=now)
    timeline.write(incident, Kind.ACTION, "resolve", now=now, actor=actor, text=why)
    acts.add("incident.resolved", incident, actor)


@changes
def reopen(incident: Incident, acts: Acts, *, now: datetime, actor: Who, why: str = "") -> None:
    """Say that it is not over after all: people are called from the beginning.

    Raises:
        Conflict: What belongs to it is in another incident that is open.
    """
    incident.status = moved(incident, Action.REOPEN)
    if Incident.objects.open().filter(group=incident.group).exclude(pk=incident.pk).exists():
        raise Conflict("Newer alerts of the same group opened another incident; work on that one.")
    incident.resolved_at = incident.closed_at = None
    incident.resolved_by, incident.resolution = "", Standing.ON_TRACK
    call_anew(incident, now=now)
    deadlines.start_clocks(incident)
    timeline.write(incident, Kind.ACTION, "reopen", now=now, actor=actor, text=why)
    acts.add("incident.reopened", incident, actor)


@changes
def escalate(incident: Incident, acts: Acts, *, now: datetime, actor: Who, step: str = "") -> None:
    """Call the next level now, without waiting for its time; it counts as activity.

    Where `step` is about to be called already, as after a second tap, nothing more is said of it.

    Raises:
        Conflict: Nobody is being called, everybody has been, or `step` has fired meanwhile.
    """
    is_earlier = escalation.next_at_once(incident, now=now, step=step)
    if step and not is_earlier:
        return
    watch(incident, now=now)
    timeline.write(incident, Kind.ACTION, "escalate", now=now, actor=actor)
    acts.add("incident.escalated", incident, actor)


@changes
def assign(incident: Incident, acts: Acts, *, to: User | None, now: datetime, actor: Who) -> None:
    """Say whose it is; whoever it is given to by another is told. It counts as activity.

    Raises:
        Conflict: It is over.
        InvalidInput: The person is not active.
    """
    if incident.status not in OPEN:
        raise Conflict("It is over; reopen it first.")
    if to is not None and not to.is_active:
        raise InvalidInput(f"{to} is no longer active.", field="to")
    before, incident.assigned_to = incident.assigned_to, to
    incident.save()
    watch(incident, now=now)
    if to is not None and to not in (actor, before):
        escalation.page_person(incident, to, f"assigned {now:%H%M%S}", now=now)
    text = f"To {to}." if to else "To nobody."
    timeline.write(incident, Kind.ACTION, "assign", now=now, actor=actor, text=text)
    acts.add("incident.assigned", incident, actor, to=to.username if to else None)


@changes
def note(incident: Incident, acts: Acts, *, text: str, now: datetime, actor: Who) -> None:
    """Write something down for the others; it counts as activity.

    Raises:
        InvalidInput: It is empty or very long.
    """
    if not 0 < len(text.strip()) <= 10_000:
        raise InvalidInput("A note has 1 to 10,000 characters.", field="text")
    timeline.write(incident, Kind.NOTE, "note", now=now, actor=actor, text=text.strip())
    watch(incident, now=now)


@changes
def set_severity(
    incident: Incident, acts: Acts, *, severity: str, now: datetime, actor: Who
) -> None:
    """Say how bad it is; from then on alerts no longer change that. It counts as activity.

    Worse than before, and not taken on, people are called from the beginning of the ladder for what it
    is now; else calling goes on by that ladder, and nobody is called again for the same level.
    """
    before, incident.severity = incident.severity, severity
    incident.is_severity_set = True
    promise_accordingly(incident, before, now=now)
    call_accordingly(incident, before, now=now)
    watch(incident, now=now)
    timeline.write(
        incident, Kind.ACTION, "severity", now=now, actor=actor, text=f"{before} → {severity}.",
        worst=worst_firing(incident),
    )  # fmt: skip
    acts.add("incident.severity_set", incident, actor, severity=[before, severity])


def raise_severity(incident: Incident, severity: str, acts: Acts, *, now: datetime) -> None:
    """Let an alert make a locked incident worse, unless a person set how bad it is.

    Worse than what somebody acknowledged, or judged, and urgent: people are called anew.
    """
    if severity >= incident.severity:
        return
    if incident.is_severity_set:
        _call_for_urgent(incident, severity, acts, now=now)
        return
    before, incident.severity = incident.severity, severity
    promise_accordingly(incident, before, now=now)
    text = f"{before} → {severity}: an alert is worse."
    timeline.write(incident, Kind.ACTION, "severity", now=now, text=text)
    acts.add("incident.severity_raised", incident, None, severity=[before, severity])
    if incident.status != Status.TRIGGERED and severity in AT_LEAST_ONCE:
        why = f"It was {before} when somebody took it on."
        unacknowledge_locked(incident, acts, now=now, actor=None, why=why)
    else:
        call_accordingly(incident, before, now=now)


def _call_for_urgent(incident: Incident, severity: str, acts: Acts, *, now: datetime) -> None:
    """Call people anew for what is urgent, an alert or what is merged in, and worse than what a person judged."""
    if severity not in AT_LEAST_ONCE or severity >= worst_judged(incident):
        return
    text = f"What came in is {severity}. It stays {incident.severity}, as somebody set it."
    timeline.write(incident, Kind.ALERT, "urgent_alert", now=now, text=text, worst=severity)
    if incident.status == Status.TRIGGERED:
        call_anew(incident, now=now)
    else:
        unacknowledge_locked(incident, acts, now=now, actor=None, why=text)


acknowledge = changes(acknowledge_locked)
unacknowledge = changes(unacknowledge_locked)
resolve = changes(resolve_locked)


def _take_on(incident: Incident, actor: Who, person: User | None, *, now: datetime) -> None:
    """Note who answered, the first time in this cycle and the first time of all."""
    incident.acknowledged_at = incident.acknowledged_at or now
    incident.acknowledged_by = name_of(actor)
    incident.unreached = ""
    calling_ended(incident, now=now)
    if incident.assigned_to_id is None and person is not None:
        incident.assigned_to = person


def _answered_in_part(
    incident: Incident, acts: Acts, answers: Quorum, text: str, *, now: datetime, actor: Who
) -> None:
    """Note an answer that is not enough; the promise of a first response it keeps all the same."""
    incident.unreached = ""
    responded(incident, now=now)
    incident.save()
    timeline.write(incident, Kind.ACTION, "acknowledge", now=now, actor=actor, text=text)
    acts.add("incident.answered", incident, actor, count=answers.count, needed=answers.needed)
