"""Alerts and what raises them; incidents, their escalations and every page that they send."""

from incidents.models.alerts import Alert, AlertLogEntry, AlertQuerySet, Severity
from incidents.models.communication import CommunicationTemplate, IncidentRole, StatusUpdate
from incidents.models.escalations import (
    Acknowledgement,
    Attempt,
    EscalationRun,
    LadderSnapshot,
    Page,
    RoundRobin,
)
from incidents.models.heartbeats import Heartbeat
from incidents.models.incidents import (
    OPEN_STATES,
    Deadline,
    Incident,
    IncidentChannel,
    IncidentQuerySet,
    ResponseTarget,
    TimelineEntry,
)
from incidents.models.integrations import ChangeEvent, InboundEvent, Integration
from incidents.models.silences import Maintenance, Silence

__all__ = [
    "OPEN_STATES",
    "Acknowledgement",
    "Alert",
    "AlertLogEntry",
    "AlertQuerySet",
    "Attempt",
    "ChangeEvent",
    "CommunicationTemplate",
    "Deadline",
    "EscalationRun",
    "Heartbeat",
    "InboundEvent",
    "Incident",
    "IncidentChannel",
    "IncidentQuerySet",
    "IncidentRole",
    "Integration",
    "LadderSnapshot",
    "Maintenance",
    "Page",
    "ResponseTarget",
    "RoundRobin",
    "Severity",
    "Silence",
    "StatusUpdate",
    "TimelineEntry",
]
