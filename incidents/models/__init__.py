"""Alerts, and the integrations through which other systems raise them."""

from incidents.models.alerts import Alert, AlertLogEntry, AlertQuerySet, Severity
from incidents.models.heartbeats import Heartbeat
from incidents.models.integrations import ChangeEvent, InboundEvent, Integration

__all__ = [
    "Alert",
    "AlertLogEntry",
    "AlertQuerySet",
    "ChangeEvent",
    "Heartbeat",
    "InboundEvent",
    "Integration",
    "Severity",
]
