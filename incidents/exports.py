"""Incidents and alerts as CSV: what their lists show, all pages of it."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from core.csv_export import Cell, csv_response
from incidents.models import Alert, Incident

__all__ = ["alerts_csv", "incidents_csv"]

_OF_INCIDENTS = (
    "id", "severity", "status", "title", "service", "assigned_to", "opened_at", "acknowledged_at",
    "acknowledged_by", "mitigated_at", "resolved_at", "resolved_by", "response", "resolution",
)  # fmt: skip
_OF_ALERTS = (
    "id", "severity", "state", "title", "service", "incident", "source", "dedup_key", "count",
    "opened_at", "last_seen_at", "resolved_at", "url",
)  # fmt: skip
_CHUNK = 500


def incidents_csv(incidents: QuerySet[Incident]) -> StreamingHttpResponse:
    """Return incidents, with service and person loaded, as a download."""
    return csv_response("incidents.csv", _OF_INCIDENTS, _incidents(incidents))


def alerts_csv(alerts: QuerySet[Alert]) -> StreamingHttpResponse:
    """Return alerts, with their service loaded, as a download."""
    return csv_response("alerts.csv", _OF_ALERTS, _alerts(alerts))


def _incidents(incidents: QuerySet[Incident]) -> Iterator[list[Cell]]:
    for incident in incidents.iterator(chunk_size=_CHUNK):
        special = {
            "service": incident.service.slug if incident.service else "",
            "assigned_to": incident.assigned_to.username if incident.assigned_to else "",
        }
        yield [special.get(name, getattr(incident, name)) for name in _OF_INCIDENTS]


def _alerts(alerts: QuerySet[Alert]) -> Iterator[list[Cell]]:
    for alert in alerts.iterator(chunk_size=_CHUNK):
        special = {
            "service": alert.service.slug if alert.service else "",
            "incident": alert.incident_id,
        }
        yield [special.get(name, getattr(alert, name)) for name in _OF_ALERTS]
