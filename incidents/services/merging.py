"""Incidents that turn out to be one, or not to be one after all."""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction

from core.again import again_if_crossed
from core.audit import Who
from core.errors import Conflict, InvalidInput
from incidents.domain.lifecycle import OPEN, Action
from incidents.models import Alert, Deadline, Incident, TimelineEntry
from incidents.queries.merges import last_of_merges, merged_into
from incidents.services import deadlines, grouping, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import Opening, open_incident, raise_severity, resolve_locked
from incidents.services.transitions import call_anew, moved, past_opening, quiet

__all__ = ["merge", "relate", "split", "unmerge", "unrelate"]

Kind = TimelineEntry.Kind


@again_if_crossed
@transaction.atomic
def merge(incident_id: int, *, into: int, now: datetime, actor: Who) -> Incident:
    """Make one incident part of another: its alerts move, and nobody is called for it.

    Returns:
        The one that goes on.

    Raises:
        Conflict: One of them is over, or they are the same.
    """
    source, target = _both(incident_id, into)
    if source.pk == target.pk:
        raise Conflict("An incident cannot be merged into itself.")
    if target.status not in OPEN:
        raise Conflict(f"#{target.pk} is over; reopen it first.")
    acts = Acts()
    source.status = moved(source, Action.MERGE)
    for incident in (source, target):
        _note_origins(incident)
    waited_until, source.held_until = source.held_until, None
    source.merged_into, source.snoozed_until = target, None
    source.calling_ended_at = source.calling_ended_at or past_opening(source, now=now)
    source.save()
    quiet(source, now=now)
    deadlines.clear(source, Deadline.Kind)
    Alert.objects.filter(incident=source).update(incident=target)
    grouping.take_in(target, source, waited_until=waited_until)
    raise_severity(target, source.severity, acts, now=now)
    timeline.write(source, Kind.ACTION, "merge", now=now, actor=actor, text=f"Into #{target.pk}.")
    text = _named(source, of=target)
    timeline.write(target, Kind.ACTION, "merged", now=now, actor=actor, text=text, source=source.pk)
    acts.add("incident.merged", source, actor, into=target.pk)
    acts.record(now=now)
    return target


@again_if_crossed
@transaction.atomic
def unmerge(incident_id: int, *, now: datetime, actor: Who) -> Incident:
    """Make a merged incident one of its own again; its alerts come back, people are called.

    With them come those that fired since, and what was merged into it. Where none of them fires any
    more, it is over.

    Raises:
        Conflict: It is not merged, or what belongs to it is in another incident that is open.
    """
    incident, target = _locked_with_end(incident_id)
    incident.status = moved(incident, Action.UNMERGE)
    twin = Incident.objects.open().filter(group=incident.group).first()
    if twin is not None:
        raise Conflict(f"What belongs to it is in #{twin.pk}, which is open; work on that one.")
    acts = Acts()
    _note_origins(target)
    incident.merged_into = None
    # What came and went while they were one may be its own.
    incident.is_flapping = incident.is_flapping or target.is_flapping
    call_anew(incident, now=now)
    deadlines.start_clocks(incident)
    Alert.objects.filter(origin__in=[incident, *merged_into(incident)]).update(incident=incident)
    timeline.write(target, Kind.ACTION, "unmerged", now=now, actor=actor, text=f"#{incident.pk}")
    text = f"Out of #{target.pk}."
    timeline.write(incident, Kind.ACTION, "unmerge", now=now, actor=actor, text=text)
    acts.add("incident.unmerged", incident, actor)
    _settle(target, incident, acts, now=now)
    acts.record(now=now)
    return incident


@again_if_crossed
@transaction.atomic
def split(
    incident_id: int, *, alerts: Collection[int], now: datetime, actor: Who, title: str = ""
) -> Incident:
    """Make some alerts of an incident one of their own, for which people are called.

    Alerts of the same group that come later join the old one. Of the two, one without a firing
    alert is over.

    Returns:
        The new one.

    Raises:
        Conflict: It is over.
        InvalidInput: Alerts are none of its own, or all of them.
    """
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=incident_id)
    if incident.status not in OPEN:
        raise Conflict("It is over; reopen it first.")
    own = Alert.objects.filter(incident=incident)
    chosen = list(own.filter(pk__in=alerts).select_for_update(of=("self",)).order_by("pk"))
    if len(chosen) != len(set(alerts)) or not chosen:
        raise InvalidInput("Name alerts of this incident.", field="alerts")
    if not own.exclude(pk__in=alerts).exists():
        raise InvalidInput("Leave at least one alert where it is.", field="alerts")
    acts = Acts()
    opening = _opening_of(chosen, incident, title.strip())
    found = open_incident(opening, acts, now=now, actor=actor)
    Alert.objects.filter(pk__in=[alert.pk for alert in chosen]).update(incident=found, origin=None)
    incident.related.add(found)
    text = f"{len(chosen)} of its alerts to #{found.pk}."
    timeline.write(incident, Kind.ACTION, "split", now=now, actor=actor, text=text)
    timeline.write(found, Kind.ACTION, "split_off", now=now, actor=actor, text=f"#{incident.pk}")
    acts.add("incident.split", incident, actor, into=found.pk)
    _settle(incident, found, acts, now=now)
    acts.record(now=now)
    return found


@again_if_crossed
@transaction.atomic
def relate(incident_id: int, *, to: Incident, now: datetime, actor: Who) -> Incident:
    """Say that two incidents have to do with each other; nothing else changes.

    Raises:
        Conflict: It is the same one.
    """
    incident, other = _both(incident_id, to.pk)
    if incident.pk == other.pk:
        raise Conflict("An incident has nothing to say about itself.")
    if incident.related.filter(pk=other.pk).exists():
        return incident
    incident.related.add(other)
    _tell_both(incident, other, "relate", now=now, actor=actor)
    return incident


@again_if_crossed
@transaction.atomic
def unrelate(incident_id: int, *, to: Incident, now: datetime, actor: Who) -> Incident:
    """Say that two incidents have nothing to do with each other after all."""
    incident, other = _both(incident_id, to.pk)
    if not incident.related.filter(pk=other.pk).exists():
        return incident
    incident.related.remove(other)
    _tell_both(incident, other, "unrelate", now=now, actor=actor)
    return incident


def _tell_both(incident: Incident, other: Incident, act: str, *, now: datetime, actor: Who) -> None:
    for one, another in ((incident, other), (other, incident)):
        text = _named(another, of=one)
        timeline.write(one, Kind.ACTION, act, now=now, actor=actor, text=text)
    acts = Acts()
    acts.add(f"incident.{act}d", incident, actor, to=other.pk)
    acts.record(now=now)


def _named(other: Incident, *, of: Incident) -> str:
    """Name an incident in the timeline of another, whose readers may not know of its service."""
    service = other.service
    if service is not None and service.is_private and service != of.service:
        return f"#{other.pk}"
    return str(other)[:1000]


def _opening_of(chosen: Sequence[Alert], incident: Incident, title: str) -> Opening:
    """Return what alerts that are split off an incident begin with as one of their own.

    Those of one service, by which they came before a merge, are that service's; of several, which may
    be private, none gives it its title.
    """
    worst = min(chosen, key=lambda alert: alert.severity)
    is_of_one = len({alert.service_id for alert in chosen}) == 1
    return Opening(
        worst.severity,
        title or (worst.title if is_of_one else incident.title),
        service_id=(is_of_one and worst.service_id) or incident.service_id,
        integration_id=incident.integration_id,
        summary=worst.detail if is_of_one else "",
        is_flapping=incident.is_flapping,
    )


def _both(one: int, other: int) -> tuple[Incident, Incident]:
    """Return two incidents, locked in one order, whichever of them is named first.

    What refers to one of them needs its lock as well when it is committed, after the audit's.
    """
    rows = Incident.objects.select_for_update(of=("self",)).filter(pk__in={one, other})
    locked = {row.pk: row for row in rows.order_by("pk")}
    return locked[one], locked[other]


def _locked_with_end(incident_id: int) -> tuple[Incident, Incident]:
    """Lock an incident, and the one in which it lives on where it is merged.

    Raises:
        Conflict: Somebody merged or took out one of them in the same moment.
    """
    known = Incident.objects.get(pk=incident_id)
    end = last_of_merges([known]).get(incident_id, incident_id)
    rows = Incident.objects.select_for_update(of=("self",)).filter(pk__in={incident_id, end})
    locked = {row.pk: row for row in rows.order_by("pk")}
    incident = locked[incident_id]
    if last_of_merges([incident]).get(incident_id, incident_id) != end:
        raise Conflict("Somebody merged it or took it out in this moment; look at it again.")
    return incident, locked[end]


def _note_origins(incident: Incident) -> None:
    """Note of which incident each alert of a locked one is that came since it was last merged.

    What belongs to the group of one that was merged into it is of that one.
    """
    loose = Alert.objects.filter(incident=incident, origin=None)
    # As for alerts that come in: its own group before others, of those the newest.
    parts = merged_into(incident)
    by_group = {part.group: part for part in parts if part.group != incident.group}
    if by_group:
        of_parts: dict[int, list[int]] = {}
        for alert in loose.only("source", "integration", "service", "group_key", "dedup_key"):
            if (part := by_group.get(alert.group_digest)) is not None:
                of_parts.setdefault(part.pk, []).append(alert.pk)
        for part_id, alerts in of_parts.items():
            Alert.objects.filter(pk__in=alerts).update(origin=part_id)
    loose.update(origin=incident)


def _settle(left: Incident, parted: Incident, acts: Acts, *, now: datetime) -> None:
    """Let each of two incidents end that have just been parted, where none of its alerts fires."""
    for incident in (left, parted):
        grouping.end_if_over(incident, acts, now=now)
    if parted.held_until is not None:
        # While it waited people would be called for what is over; what fires again calls them.
        by = grouping.ended_by(parted)
        resolve_locked(parted, acts, now=now, actor=by, why="All alerts have ended.")
