"""Alerts and what raises them; incidents, their escalations and every page that they send."""

from incidents.models.action_items import ActionItem, ActionItemQuerySet
from incidents.models.alerts import Alert, AlertLogEntry, AlertQuerySet, Severity
from incidents.models.communication import CommunicationTemplate, IncidentRole, StatusUpdate
from incidents.models.escalations import (
    Acknowledgement,
    Attempt,
    CallDecision,
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
from incidents.models.postmortems import Postmortem, PostmortemPolicy, PostmortemReview
from incidents.models.silences import Maintenance, Silence

__all__ = [
    "OPEN_STATES",
    "Acknowledgement",
    "ActionItem",
    "ActionItemQuerySet",
    "Alert",
    "AlertLogEntry",
    "AlertQuerySet",
    "Attempt",
    "CallDecision",
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
    "Postmortem",
    "PostmortemPolicy",
    "PostmortemReview",
    "ResponseTarget",
    "RoundRobin",
    "Severity",
    "Silence",
    "StatusUpdate",
    "TimelineEntry",
]
