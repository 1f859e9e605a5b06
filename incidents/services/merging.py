"""Incidents that turn out to be one, or not to be one after all."""

from datetime import datetime

from django.db import transaction

from core.audit import Who
from core.errors import Conflict
from incidents.domain.lifecycle import OPEN, Action
from incidents.models import Alert, Deadline, Incident, TimelineEntry
from incidents.services import deadlines, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import raise_severity
from incidents.services.transitions import call_anew, changes, moved, quiet

__all__ = ["merge", "unmerge"]

Kind = TimelineEntry.Kind


@transaction.atomic
def merge(incident_id: int, *, into: int, now: datetime, actor: Who) -> Incident:
    """Make one incident part of another: its alerts move, and nobody is called for it.

    Returns:
        The one that goes on.

    Raises:
        Conflict: One of them is over, or they are the same.
    """
    locked = Incident.objects.select_for_update(of=("self",)).in_bulk(sorted({incident_id, into}))
    source, target = locked[incident_id], locked[into]
    if source.pk == target.pk:
        raise Conflict("An incident cannot be merged into itself.")
    if target.status not in OPEN:
        raise Conflict(f"#{target.pk} is over; reopen it first.")
    acts = Acts()
    source.status = moved(source, Action.MERGE)
    source.merged_into, source.snoozed_until, source.held_until = target, None, None
    source.save()
    quiet(source, now=now)
    deadlines.clear(source, Deadline.Kind)
    Alert.objects.filter(incident=source).update(incident=target)
    raise_severity(target, source.severity, acts, now=now)
    timeline.write(source, Kind.ACTION, "merge", now=now, actor=actor, text=f"Into #{target.pk}.")
    text = f"#{source.pk} {source.title}"[:1000]
    timeline.write(target, Kind.ACTION, "merged", now=now, actor=actor, text=text, source=source.pk)
    acts.add("incident.merged", source, actor, into=target.pk)
    acts.record(now=now)
    return target


@changes
def unmerge(incident: Incident, acts: Acts, *, now: datetime, actor: Who) -> None:
    """Make a merged incident one of its own again; its alerts come back, people are called."""
    target = incident.merged_into
    incident.status = moved(incident, Action.UNMERGE)
    incident.merged_into = None
    call_anew(incident, now=now)
    deadlines.start_clocks(incident)
    if target is not None:
        came = Alert.objects.filter(incident=target)
        for alert in came:
            if alert.group_digest == incident.group:
                Alert.objects.filter(pk=alert.pk).update(incident=incident)
        timeline.write(
            target, Kind.ACTION, "unmerged", now=now, actor=actor, text=f"#{incident.pk}"
        )
    timeline.write(incident, Kind.ACTION, "unmerge", now=now, actor=actor)
    acts.add("incident.unmerged", incident, actor)
