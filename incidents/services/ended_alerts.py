"""Alerts that end with their incident, because a person says that it is over."""

from datetime import datetime

from core.audit import Who
from incidents.models import Alert, AlertLogEntry, Incident
from incidents.services.acts import name_of

__all__ = ["end_alerts"]


def end_alerts(incident: Incident, actor: Who, *, now: datetime) -> None:
    """End what still fires of a locked incident."""
    firing = list(
        Alert.objects.firing().filter(incident=incident).select_for_update().order_by("pk")
    )
    for alert in firing:
        alert.state = Alert.State.RESOLVED
        alert.resolved_at = alert.last_seen_at = max(now, alert.opened_at)
    Alert.objects.bulk_update(firing, ["state", "resolved_at", "last_seen_at"])
    AlertLogEntry.objects.bulk_create(
        AlertLogEntry(
            alert=alert,
            at=now,
            kind=AlertLogEntry.Kind.RESOLVED,
            actor=name_of(actor)[:100],
            text=f"With incident #{incident.pk}.",
        )
        for alert in firing
    )
