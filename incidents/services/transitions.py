"""What every change of an incident has in common: its lock, its table, its escalation, its audit."""

from collections.abc import Callable
from datetime import datetime
from functools import update_wrapper
from typing import Concatenate, ParamSpec, cast

from django.db import transaction

from core.again import again_if_crossed
from core.errors import Conflict
from incidents.domain.lifecycle import OPEN, Action, Impossible, Status, next_status
from incidents.domain.response_targets import standing_at
from incidents.models import Deadline, Incident
from incidents.queries.merges import lives_on_in
from incidents.queries.targets import response_target
from incidents.services import deadlines, escalation
from incidents.services.acts import Acts
from oncall.domain.escalations import Phase
from oncall.queries.policies import policy_for

__all__ = [
    "call_accordingly",
    "call_anew",
    "calling_ended",
    "changes",
    "moved",
    "past_opening",
    "promise_accordingly",
    "quiet",
    "responded",
    "watch",
]

P = ParamSpec("P")


def changes(
    change: Callable[Concatenate[Incident, Acts, P], None],
) -> Callable[Concatenate[int, P], Incident]:
    """Lock the incident for a change, and record what it did, all in one transaction.

    Where an alert of the same moment crosses it, it is done again.
    """

    def changed(incident_id: int, /, *args: P.args, **kwargs: P.kwargs) -> Incident:
        acts = Acts()
        with transaction.atomic():
            incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
            change(incident, acts, *args, **kwargs)
            acts.record(now=cast("datetime", kwargs["now"]))
        return incident

    return again_if_crossed(update_wrapper(changed, change))


def moved(incident: Incident, action: Action) -> str:
    """Return where a locked incident stands after `action`.

    Raises:
        Conflict: It cannot be done now; says what can.
    """
    try:
        return str(next_status(Status(incident.status), action))
    except Impossible as error:
        lives_on = lives_on_in(incident)
        message = (
            str(error) if lives_on is None else f"It was merged: it lives on in #{lives_on.pk}."
        )
        raise Conflict(message) from error


def past_opening(incident: Incident, *, now: datetime) -> datetime:
    """Return when something happens to an incident: now, but never before it was opened.

    Clocks of several machines differ, and who waited for its lock read the time before.
    """
    return max(now, incident.opened_at)


def calling_ended(incident: Incident, *, now: datetime) -> None:
    """Note when nobody else had to be called for the first time; that is a response, too."""
    incident.calling_ended_at = incident.calling_ended_at or past_opening(incident, now=now)
    responded(incident, now=now)


def responded(incident: Incident, *, now: datetime) -> None:
    """Note the first response of all."""
    if incident.responded_at is not None:
        return
    incident.responded_at = past_opening(incident, now=now)
    within = response_target(incident.severity).respond_within
    incident.response = standing_at(incident.opened_at, within, now, now)
    deadlines.clear(incident, deadlines.RESPONSE)


def call_anew(incident: Incident, *, now: datetime) -> None:
    """Begin another cycle of a locked incident; saves it.

    Where all of its alerts have ended, it still resolves when its hold does.
    """
    incident.cycle += 1
    incident.acknowledged_at, incident.acknowledged_by = None, ""
    incident.snoozed_until = incident.mitigated_at = None
    incident.save()
    quiet(incident, now=now)
    escalation.begin(incident, Phase.UNACKNOWLEDGED, now=now)


def quiet(incident: Incident, *, now: datetime) -> None:
    """Call nobody any more, not when a snooze ends either, and ask nobody if they are still on it."""
    escalation.stop(incident, now=now)
    deadlines.clear(incident, deadlines.OF_CYCLE)


def watch(incident: Incident, *, now: datetime) -> None:
    """Count the time anew after which whoever acknowledged is asked whether they still work on it.

    Somebody has just done something; while nobody has taken it on, or it is snoozed, nobody is asked.
    """
    if incident.status != Status.ACKNOWLEDGED or incident.snoozed_until is not None:
        return
    policy = policy_for(incident.service)
    deadlines.clear(incident, [Deadline.Kind.ACK_LAPSE])
    escalation.ask_no_more(incident)
    if policy is not None and policy.ack_timeout:
        deadlines.put(incident, {Deadline.Kind.ACK_TIMEOUT: now + policy.ack_timeout})


def promise_accordingly(incident: Incident, before: str, *, now: datetime) -> None:
    """Let what is promised follow a new severity; saves the incident."""
    if incident.severity > before:
        deadlines.restate(incident, now=now)
    incident.save()
    if incident.status in OPEN:
        deadlines.start_clocks(incident)


def call_accordingly(incident: Incident, before: str, *, now: datetime) -> None:
    """Let who is called follow a new severity: worse than before, all of them anew."""
    if incident.severity < before and incident.status == Status.TRIGGERED:
        call_anew(incident, now=now)
    elif incident.severity != before:
        escalation.follow(incident, now=now)
