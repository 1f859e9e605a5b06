"""From alerts to incidents: what belongs together is one, and it ends when all of it has ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from core.bulk import select_rows
from core.inserts import Inserts
from incidents.domain.lifecycle import OPEN
from incidents.models import Alert, Deadline, Incident, Integration, TimelineEntry
from incidents.queries.configuration import Configuration, current
from incidents.queries.merges import last_of_merges
from incidents.queries.outlook import TAKING, UNKNOWN, Outlook
from incidents.queries.silences import first_match
from incidents.services import deadlines, lifecycle, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import Opening

__all__ = ["attach", "detach", "end_if_over", "place", "worsen"]

Kind = TimelineEntry.Kind
# So many openings within so long, and an incident resolves only after it was quiet for a while.
FLAPS, FLAP_WINDOW, FLAP_HOLD = 3, timedelta(minutes=30), timedelta(minutes=15)


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
    missing = sorted(groups.keys() - known.keys())
    openings = [(_opening(group, groups[group][0]), groups[group][0].source) for group in missing]
    opened = lifecycle.open_incidents(
        openings, acts, inserts, configuration, now=now, outlook=outlook
    )
    for group, incident in zip(missing, opened, strict=True):
        first, *others = groups[group]
        first.incident = incident
        _join(incident, others, inserts, now=now)
    repeats = _openings_of_late(known, groups, now=now)
    for group, incident in known.items():
        _join(incident, groups[group], inserts, now=now)
        _stir(incident, groups[group], repeats, acts, now=now)


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


def detach(alerts: Sequence[Alert], acts: Acts, *, now: datetime) -> None:
    """Resolve the incidents of alerts that have just ended, where none fires any more."""
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
    firing = Alert.objects.firing().filter(incident__in=[incident.pk for incident in incidents])
    burning = set(firing.values_list("incident_id", flat=True).distinct())
    for incident in incidents:
        if incident.pk not in burning:
            _let_end(incident, by_incident[incident.pk][-1].integration, acts, now=now)


def end_if_over(incident: Incident, acts: Acts, *, now: datetime) -> None:
    """Let a locked incident end that has no firing alert left; without any it is people who end it."""
    alerts = Alert.objects.filter(incident=incident)
    if incident.status not in OPEN or alerts.firing().exists():
        return
    last = alerts.select_related("integration").order_by("resolved_at", "pk").last()
    if last is not None:
        _let_end(incident, last.integration, acts, now=now)


def _let_end(
    incident: Incident, integration: Integration | None, acts: Acts, *, now: datetime
) -> None:
    """Resolve a locked incident whose alerts have ended, now or after a quiet while."""
    if integration is not None and not integration.auto_resolve:
        return
    hold = integration.hold_off if integration is not None else timedelta()
    if incident.is_flapping:
        hold = max(hold, FLAP_HOLD)
    if hold:
        incident.held_until = now + hold
        incident.save(update_fields=["held_until", "updated_at"])
        deadlines.put(incident, {Deadline.Kind.AUTO_RESOLVE: now + hold})
        return
    lifecycle.resolve_locked(incident, acts, now=now, why="All alerts have ended.")


def _opening(group: str, alert: Alert) -> Opening:
    return Opening(
        severity=alert.severity,
        title=alert.title,
        service_id=alert.service_id,
        integration_id=alert.integration_id,
        group=group,
        summary=alert.detail,
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


def _stir(
    incident: Incident,
    alerts: Sequence[Alert],
    repeats: Mapping[tuple[int, str], int],
    acts: Acts,
    *,
    now: datetime,
) -> None:
    """Let what fires in an incident keep it from resolving, mark it as flapping, make it worse."""
    if incident.held_until is not None:
        incident.held_until = None
        incident.save(update_fields=["held_until", "updated_at"])
        deadlines.clear(incident, [Deadline.Kind.AUTO_RESOLVE])
    again = max(repeats[incident.pk, alert.dedup_key] for alert in alerts) + 1
    if not incident.is_flapping and again >= FLAPS:
        incident.is_flapping = True
        incident.save(update_fields=["is_flapping", "updated_at"])
    lifecycle.raise_severity(incident, alerts[0].severity, acts, now=now)


def _openings_of_late(
    incidents: Mapping[str, Incident], groups: Mapping[str, Sequence[Alert]], *, now: datetime
) -> Counter[tuple[int, str]]:
    """Return how often each condition opened an alert of its incident of late, without this time."""
    if not incidents:
        return Counter()
    joining = [alert for group in incidents for alert in groups[group]]
    rows = Alert.objects.filter(
        incident__in=[incident.pk for incident in incidents.values()],
        dedup_key__in=[alert.dedup_key for alert in joining],
        opened_at__gt=now - FLAP_WINDOW,
    )
    return Counter(rows.values_list("incident_id", "dedup_key"))
