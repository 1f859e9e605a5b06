"""From alerts to incidents: what belongs together is one, and it ends when all of it has ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from incidents.domain.lifecycle import OPEN, Status
from incidents.models import Alert, Deadline, Incident, Silence, TimelineEntry
from incidents.queries.silences import silence_for
from incidents.services import deadlines, lifecycle, timeline
from incidents.services.acts import Acts
from incidents.services.lifecycle import Opening

__all__ = ["attach", "detach", "follow"]

Kind = TimelineEntry.Kind
# So many openings within so long, and an incident resolves only after it was quiet for a while.
FLAPS, FLAP_WINDOW, FLAP_HOLD = 3, timedelta(minutes=30), timedelta(minutes=15)


def attach(alert: Alert, acts: Acts, *, now: datetime) -> Incident | None:
    """Put a firing alert into the incident that it belongs to, opening it where there is none.

    Within the caller's transaction. What only informs, or is silenced, belongs to none.
    """
    if not alert.pages or alert.incident_id is not None:
        return None
    silence = silence_for(alert, now=now)
    if silence is not None:
        _hold_back(alert, silence)
        return None
    incident, is_new = _incident_of(alert, acts, now=now)
    alert.incident, alert.silenced_by = incident, None
    alert.save(update_fields=["incident", "silenced_by"])
    if not is_new:
        _joined(incident, alert, acts, now=now)
    return incident


def follow(alerts: Sequence[Alert], acts: Acts, *, now: datetime) -> None:
    """Let alerts that were reported again make their incidents worse, or call for one at last."""
    incidents = Incident.objects.open().in_bulk({a.incident_id for a in alerts if a.incident_id})
    for alert in alerts:
        if alert.incident_id is None:
            attach(alert, acts, now=now)
        elif (known := incidents.get(alert.incident_id)) and alert.severity < known.severity:
            locked = Incident.objects.select_for_update(of=("self",)).get(pk=known.pk)
            lifecycle.raise_severity(locked, alert.severity, acts, now=now)


def detach(alert: Alert, acts: Acts, *, now: datetime) -> None:
    """Resolve the incident of an alert that has just ended, if it was the last one firing."""
    if alert.incident_id is None:
        return
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=alert.incident_id)
    if incident.status not in OPEN:
        return
    text = f"Ended: {alert.title}"[:1000]
    timeline.write(incident, Kind.ALERT, "alert_resolved", now=now, text=text, alert=alert.pk)
    if Alert.objects.firing().filter(incident=incident).exists():
        return
    integration = alert.integration
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


def _incident_of(alert: Alert, acts: Acts, *, now: datetime) -> tuple[Incident, bool]:
    """Return the open incident of an alert's group, locked, and whether it was opened just now."""
    group = alert.group_digest
    for _ in range(3):
        found = _open_one(group)
        if found is not None:
            return found, False
        opening = Opening(
            severity=alert.severity,
            title=alert.title,
            service=alert.service,
            integration=alert.integration,
            group=group,
            summary=alert.detail,
        )
        try:
            with transaction.atomic():
                return lifecycle.open_incident(opening, acts, now=now, actor=alert.source), True
        except IntegrityError:
            # Another request opened it in the same moment.
            continue
    raise IntegrityError("incident of a group could neither be found nor opened")


def _open_one(group: str) -> Incident | None:
    """Return the open incident of a group, locked; of a merged one that which it is part of."""
    incidents = Incident.objects.select_for_update(of=("self",))
    wanted = Q(status__in=sorted(OPEN)) | Q(
        status=Status.MERGED, merged_into__status__in=sorted(OPEN)
    )
    rows = list(incidents.filter(wanted, group=group).order_by("-pk"))
    found = next((row for row in rows if row.status in OPEN), None)
    if found is not None or not rows:
        return found
    into = rows[0].merged_into_id
    return incidents.open().filter(pk=into).first() if into is not None else None


def _joined(incident: Incident, alert: Alert, acts: Acts, *, now: datetime) -> None:
    """Note that an alert joined an open incident, which may have been about to resolve."""
    text = f"Fires: {alert.title}"[:1000]
    timeline.write(incident, Kind.ALERT, "alert_fired", now=now, text=text, alert=alert.pk)
    if incident.held_until is not None:
        incident.held_until = None
        incident.save(update_fields=["held_until", "updated_at"])
        deadlines.clear(incident, [Deadline.Kind.AUTO_RESOLVE])
    if not incident.is_flapping and _recent(incident, alert, now=now) >= FLAPS:
        incident.is_flapping = True
        incident.save(update_fields=["is_flapping", "updated_at"])
    lifecycle.raise_severity(incident, alert.severity, acts, now=now)


def _recent(incident: Incident, alert: Alert, *, now: datetime) -> int:
    """Return how often a condition opened an alert of an incident of late."""
    same = incident.alerts.filter(dedup_key=alert.dedup_key)
    return same.filter(opened_at__gt=now - FLAP_WINDOW).count()


def _hold_back(alert: Alert, silence: Silence) -> None:
    if alert.silenced_by_id != silence.pk:
        alert.silenced_by = silence
        alert.save(update_fields=["silenced_by"])
