"""Incidents, alerts, silences and the inbox as CSV: what their lists show, all pages of it."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from core.csv_export import Cell, csv_response
from incidents.domain.silencing import written
from incidents.models import Alert, InboundEvent, Incident, Silence
from incidents.queries.analytics import facts_of, with_facts
from incidents.queries.calls import CallList

__all__ = [
    "alerts_csv",
    "analytics_csv",
    "events_csv",
    "incidents_csv",
    "pages_csv",
    "silences_csv",
]

_OF_INCIDENTS = (
    "id", "severity", "status", "title", "service", "assigned_to", "opened_at", "acknowledged_at",
    "acknowledged_by", "mitigated_at", "resolved_at", "resolved_by", "response", "resolution",
)  # fmt: skip
_OF_ALERTS = (
    "id", "severity", "state", "title", "service", "incident", "source", "dedup_key", "count",
    "opened_at", "last_seen_at", "resolved_at", "url",
)  # fmt: skip
_OF_SILENCES = (
    "id", "state", "comment", "service", "matchers", "starts_at", "ends_at", "is_maintenance",
    "created_by",
)  # fmt: skip
_OF_EVENTS = (
    "id", "received_at", "state", "integration", "kind", "service", "address", "content_type",
    "problem", "alerts",
)  # fmt: skip
_OF_ANALYTICS = (
    "id", "service", "severity", "title", "opened_at", "acknowledged_after_s", "mitigated_after_s",
    "resolved_after_s", "is_by_itself", "is_short", "is_acted_on", "group",
)  # fmt: skip
_OF_PAGES = (
    "at", "person", "local_time", "is_at_night", "is_on_weekend", "incident", "severity", "title", "service",
    "level", "reason", "channels", "messages", "outcome", "outcome_by", "outcome_after_s",
)  # fmt: skip
_CHUNK = 500


def incidents_csv(incidents: QuerySet[Incident]) -> StreamingHttpResponse:
    """Return incidents, with service and person loaded, as a download."""
    return csv_response("incidents.csv", _OF_INCIDENTS, _incidents(incidents))


def analytics_csv(incidents: QuerySet[Incident]) -> StreamingHttpResponse:
    """Return what incident analytics count of each incident as a download, the oldest first.

    Seconds are from the opening; an empty cell is no data.
    """
    return csv_response("incident-analytics.csv", _OF_ANALYTICS, _counted(incidents))


def pages_csv(calls: CallList) -> StreamingHttpResponse:
    """Return calls to people as a download, a row a call, the newest first; an empty cell is no data."""
    return csv_response("pages.csv", _OF_PAGES, _pages(calls))


def alerts_csv(alerts: QuerySet[Alert]) -> StreamingHttpResponse:
    """Return alerts, with their service loaded, as a download."""
    return csv_response("alerts.csv", _OF_ALERTS, _alerts(alerts))


def silences_csv(silences: QuerySet[Silence], *, now: datetime) -> StreamingHttpResponse:
    """Return silences, with their service loaded, as a download: how each stands at `now`."""
    return csv_response("silences.csv", _OF_SILENCES, _silences(silences, now))


def events_csv(events: QuerySet[InboundEvent]) -> StreamingHttpResponse:
    """Return requests, with their integration and its service loaded, as a download without bodies."""
    return csv_response("not-understood.csv", _OF_EVENTS, _events(events))


def _incidents(incidents: QuerySet[Incident]) -> Iterator[list[Cell]]:
    for incident in incidents.iterator(chunk_size=_CHUNK):
        special = {
            "service": incident.service.slug if incident.service else "",
            "assigned_to": incident.assigned_to.username if incident.assigned_to else "",
        }
        yield [special.get(name, getattr(incident, name)) for name in _OF_INCIDENTS]


def _counted(incidents: QuerySet[Incident]) -> Iterator[list[Cell]]:
    rows = with_facts(incidents).select_related("service").order_by("opened_at", "pk")
    for incident in rows.iterator(chunk_size=_CHUNK):
        one = facts_of(incident)
        times = (one.answered_at, one.mitigated_at, one.resolved_at)
        yield [
            incident.pk,
            incident.service.slug if incident.service else "",
            incident.severity,
            incident.title,
            incident.opened_at,
            *map(one.seconds_to, times),
            one.is_ended_by_itself,
            one.is_short,
            one.is_acted_on,
            incident.group,
        ]


def _pages(calls: CallList) -> Iterator[list[Cell]]:
    for row in calls:
        call, incident, after = row.call, row.incident, row.answered_after
        yield [
            call.at,
            call.person,
            call.local,
            call.is_at_night,
            call.is_on_weekend,
            incident.pk,
            incident.severity,
            incident.title,
            incident.service.slug if incident.service else "",
            row.level or None,
            call.reason,
            " ".join(row.channels),
            call.messages,
            row.outcome,
            row.answered_by,
            None if after is None else after.total_seconds(),
        ]


def _alerts(alerts: QuerySet[Alert]) -> Iterator[list[Cell]]:
    for alert in alerts.iterator(chunk_size=_CHUNK):
        special = {
            "service": alert.service.slug if alert.service else "",
            "incident": alert.incident_id,
        }
        yield [special.get(name, getattr(alert, name)) for name in _OF_ALERTS]


def _silences(silences: QuerySet[Silence], now: datetime) -> Iterator[list[Cell]]:
    for silence in silences.iterator(chunk_size=_CHUNK):
        special = {
            "state": silence.state_at(now),
            "service": silence.service.slug if silence.service else "",
            "matchers": ", ".join(written(matcher) for matcher in silence.matchers),
        }
        yield [special.get(name, getattr(silence, name, None)) for name in _OF_SILENCES]


def _events(events: QuerySet[InboundEvent]) -> Iterator[list[Cell]]:
    for event in events.iterator(chunk_size=_CHUNK):
        integration = event.integration
        special = {
            "integration": integration.name,
            "kind": integration.kind,
            "service": integration.service.slug,
        }
        yield [special.get(name, getattr(event, name, None)) for name in _OF_EVENTS]
