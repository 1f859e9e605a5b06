"""From alerts to incidents: what belongs together is one, and it ends when all of it has ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from core.bulk import select_rows
from core.inserts import Inserts
from incidents.domain import flapping
from incidents.domain.lifecycle import OPEN
from incidents.models import Alert, AlertLogEntry, Deadline, Incident, TimelineEntry
from incidents.queries.configuration import Configuration, current
from incidents.queries.merges import last_of_merges
from incidents.queries.outlook import TAKING, UNKNOWN, Outlook
from incidents.queries.silences import first_match
from incidents.services import deadlines, lifecycle, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import Opening

__all__ = ["attach", "detach", "end_if_over", "ended_by", "holds", "place", "take_in", "worsen"]

Kind = TimelineEntry.Kind


def attach(alert: Alert, acts: Acts, *, now: datetime) -> None:
    """Put a stored firing alert into the incident that it belongs to; see `place`."""
    inserts = Inserts()
    place([alert], acts, inserts, current(), now=now)
    inserts.write()
    alert.save(update_fields=["incident", "silenced_by"])


def place(
    alerts: Iterable[Alert],
    acts: Acts,
    inserts: Inserts,
    configuration: Configuration,
    *,
    now: datetime,
    outlook: Outlook = UNKNOWN,
) -> None:
    """Give firing alerts the incidents that they belong to, opening those that are missing.

    Within the caller's transaction, who writes `inserts` and then the alerts. What only informs,
    or is silenced, belongs to none. Of several alerts that open an incident the worst gives it
    title and severity.

    Raises:
        django.db.IntegrityError: While `inserts` are written: somebody else opened one of these
            incidents in the same moment. Begin again.
    """
    loose = [alert for alert in alerts if alert.pages and alert.incident_id is None]
    if not loose:
        return
    silences = configuration.silences(now=now)
    groups: dict[str, list[Alert]] = {}
    for alert in loose:
        if silences or alert.silenced_by_id is not None:
            alert.silenced_by = first_match(alert, silences)
        if alert.silenced_by_id is None:
            groups.setdefault(alert.group_digest, []).append(alert)
    for members in groups.values():
        members.sort(key=lambda alert: alert.severity)
    known = _open_ones(sorted(groups)) if outlook.has_groups else {}
    restless = _flapping(groups, now=now) if outlook.was_open else frozenset()
    missing = sorted(groups.keys() - known.keys())
    openings = [
        (_opening(group, groups[group][0], is_flapping=group in restless), groups[group][0].source)
        for group in missing
    ]
    opened = lifecycle.open_incidents(
        openings, acts, inserts, configuration, now=now, outlook=outlook
    )
    for group, incident in zip(missing, opened, strict=True):
        first, *others = groups[group]
        first.incident = incident
        _join(incident, others, inserts, now=now)
    for group, incident in known.items():
        _join(incident, groups[group], inserts, now=now)
        _stir(incident, groups[group][0].severity, acts, now=now, is_flapping=group in restless)


def worsen(alerts: Iterable[Alert], acts: Acts, *, now: datetime) -> None:
    """Let alerts that were reported again make their incidents as bad as they are."""
    worst: dict[int, str] = {}
    for alert in alerts:
        if alert.incident_id is not None:
            before = worst.get(alert.incident_id, alert.severity)
            worst[alert.incident_id] = min(before, alert.severity)
    if not worst:
        return
    known = Incident.objects.open().filter(pk__in=worst).values_list("pk", "severity")
    for pk in sorted(pk for pk, severity in known if worst[pk] < severity):
        locked = Incident.objects.select_for_update(of=("self",)).get(pk=pk)
        lifecycle.raise_severity(locked, worst[pk], acts, now=now)


def detach(
    alerts: Sequence[Alert], acts: Acts, *, now: datetime, people: Mapping[int, str]
) -> None:
    """Resolve the incidents of alerts that have just ended, where none fires any more.

    Args:
        alerts: The last of an incident that ended comes after its others.
        acts: Of the transaction.
        now: The present.
        people: Who ended which of them at its sender, by primary key; the others ended by themselves.
    """
    by_incident: dict[int, list[Alert]] = {}
    for alert in alerts:
        if alert.incident_id is not None:
            by_incident.setdefault(alert.incident_id, []).append(alert)
    if not by_incident:
        return
    rows = Incident.objects.select_for_update(of=("self",)).filter(pk__in=by_incident)
    incidents = [row for row in rows.order_by("pk") if row.status in OPEN]
    inserts = Inserts()
    for incident in incidents:
        for alert in by_incident[incident.pk]:
            text = f"Ended: {alert.title}"[:1000]
            timeline.add(
                inserts, incident, Kind.ALERT, "alert_resolved", now=now, text=text, alert=alert.pk
            )
    inserts.write()
    over = holds(incidents)
    for incident in incidents:
        if incident.pk in over:
            by = people.get(by_incident[incident.pk][-1].pk)
            _let_end(incident, over[incident.pk], acts, now=now, by=by)


def ended_by(incident: Incident) -> str | None:
    """Return who ended the last of its alerts at their sender; None where it ended by itself."""
    ends = AlertLogEntry.objects.filter(alert__incident=incident, kind=AlertLogEntry.Kind.RESOLVED)
    last = ends.order_by("-at", "-pk").first()
    return last.actor if last is not None and last.facts.get("is_person") else None


def end_if_over(incident: Incident, acts: Acts, *, now: datetime) -> None:
    """Let a locked incident end that has no firing alert left; without any it is people who end it."""
    if incident.status not in OPEN:
        return
    if not Alert.objects.filter(incident=incident).exists():
        _keep_open(incident)
    elif (hold := holds([incident]).get(incident.pk)) is not None:
        _let_end(incident, hold, acts, now=now, by=ended_by(incident))


def take_in(incident: Incident, other: Incident, *, waited_until: datetime | None) -> None:
    """Let a locked incident, which has the alerts of another one now, end no sooner than that would have.

    Args:
        incident: Goes on.
        other: Was merged into it.
        waited_until: Until when the other one waited for its end; None: it did not.
    """
    if other.is_flapping and not incident.is_flapping:
        incident.is_flapping = True
        incident.save(update_fields=["is_flapping", "updated_at"])
    if incident.held_until is None:
        return
    if incident.pk not in holds([incident]):
        _keep_open(incident)
    elif waited_until is not None and waited_until > incident.held_until:
        _hold_until(incident, waited_until)


def holds(incidents: Sequence[Incident]) -> dict[int, timedelta]:
    """Return which incidents are over with their alerts, and how long it must be quiet first.

    None of their alerts fires, and each of the senders lets an incident resolve by itself.
    """
    of_senders = ("integration__auto_resolve", "integration__hold_off")
    alerts = Alert.objects.filter(incident__in=[incident.pk for incident in incidents])
    rows = alerts.order_by().values_list("incident_id", "state", *of_senders).distinct()
    longest = {
        incident.pk: flapping.HOLD if incident.is_flapping else timedelta()
        for incident in incidents
    }
    staying = set()
    for incident_id, state, resolves_itself, hold_off in rows:
        if state == Alert.State.FIRING or resolves_itself is False:
            staying.add(incident_id)
        longest[incident_id] = max(longest[incident_id], hold_off or timedelta())
    return {pk: hold for pk, hold in longest.items() if pk not in staying}


def _let_end(
    incident: Incident, hold: timedelta, acts: Acts, *, now: datetime, by: str | None
) -> None:
    """Resolve a locked incident whose alerts have ended, now or after a quiet while.

    Args:
        incident: Which.
        hold: How long that while is.
        acts: Of the transaction.
        now: The present.
        by: Who ended the last of them at their sender; None: it ended by itself.
    """
    if hold:
        _hold_until(incident, now + hold)
        return
    lifecycle.resolve_locked(incident, acts, now=now, actor=by, why="All alerts have ended.")


def _hold_until(incident: Incident, at: datetime) -> None:
    incident.held_until = at
    incident.save(update_fields=["held_until", "updated_at"])
    deadlines.put(incident, {Deadline.Kind.AUTO_RESOLVE: at})


def _opening(group: str, alert: Alert, *, is_flapping: bool) -> Opening:
    return Opening(
        severity=alert.severity,
        title=alert.title,
        service_id=alert.service_id,
        integration_id=alert.integration_id,
        group=group,
        summary=alert.detail,
        is_flapping=is_flapping,
    )


def _open_ones(groups: Sequence[str]) -> dict[str, Incident]:
    """Return the open incident of each group, locked; of a merged one that which it is part of."""
    if not groups:
        return {}
    rows = select_rows(Incident, {"group": groups, "status": TAKING}, lock=True)
    found = {row.group: row for row in rows if row.status in OPEN}
    merged = [row for row in rows if row.group not in found]
    if merged:
        ends = last_of_merges(merged)
        incidents = Incident.objects.select_for_update(of=("self",))
        into = incidents.open().in_bulk(set(ends.values()))
        # The newest counts.
        found |= {row.group: into[ends[row.pk]] for row in merged if ends[row.pk] in into}
    return found


def _join(incident: Incident, alerts: Iterable[Alert], inserts: Inserts, *, now: datetime) -> None:
    """Note that alerts belong to an incident that is open already."""
    for alert in alerts:
        alert.incident = incident
        text = f"Fires: {alert.title}"[:1000]
        timeline.add(
            inserts, incident, Kind.ALERT, "alert_fired", now=now, text=text, alert=alert.pk
        )


def _keep_open(incident: Incident) -> None:
    """Keep an incident from resolving by itself."""
    if incident.held_until is not None:
        incident.held_until = None
        incident.save(update_fields=["held_until", "updated_at"])
        deadlines.clear(incident, [Deadline.Kind.AUTO_RESOLVE])


def _stir(incident: Incident, worst: str, acts: Acts, *, now: datetime, is_flapping: bool) -> None:
    """Let what fires in an incident keep it from resolving, mark it as flapping, make it worse."""
    _keep_open(incident)
    if is_flapping and not incident.is_flapping:
        incident.is_flapping = True
        incident.save(update_fields=["is_flapping", "updated_at"])
    lifecycle.raise_severity(incident, worst, acts, now=now)


def _flapping(groups: Mapping[str, Sequence[Alert]], *, now: datetime) -> set[str]:
    """Return groups with a condition that was open so often of late, this time included.

    In whatever incident: one that ends at once with its alert is another one each time.
    """
    ended = Alert.objects.filter(
        state=Alert.State.RESOLVED,
        dedup_key__in={alert.dedup_key for alert in chain.from_iterable(groups.values())},
        opened_at__gt=now - flapping.WINDOW,
        # None: only its end was heard of (`intake`).
        count__gt=0,
    )
    before = Counter(alert.condition for alert in ended.only("integration", "source", "dedup_key"))
    return {
        group
        for group, alerts in groups.items()
        if any(before[alert.condition] + 1 >= flapping.OPENINGS for alert in alerts)
    }
