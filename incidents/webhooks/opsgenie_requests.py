"""What became of a request, as Opsgenie's API tells it: there it is done some time after the answer."""

from typing import Any

from incidents.models import AlertLogEntry, InboundEvent
from incidents.webhooks.opsgenie_reading import iso

__all__ = ["told_of"]

# How the original calls what is done at an address that ends so.
_ACTIONS = {
    "close": "Close",
    "acknowledge": "Acknowledge",
    "unacknowledge": "UnAcknowledge",
    "snooze": "Snooze",
    "escalate": "Escalate",
    "assign": "AssignOwnership",
    "notes": "AddNote",
    "tags": "AddTags",
    "details": "AddDetails",
    "responders": "AddResponder",
    "teams": "AddTeam",
    "message": "UpdateMessage",
    "description": "UpdateDescription",
    "priority": "UpdatePriority",
}
_REMOVED = {"AddTags": "RemoveTags", "AddDetails": "RemoveDetails"}


def told_of(event: InboundEvent) -> dict[str, Any]:
    """Return what became of a request that is stored: it is done by the time anybody asks."""
    entry = AlertLogEntry.objects.select_related("alert").filter(event=event).first()
    refused = entry.facts.get("refused", "") if entry else ""
    is_done = event.state == InboundEvent.State.PARSED and entry is not None and not refused
    return {
        "success": is_done,
        "isSuccess": is_done,
        "action": _action(event, entry),
        "processedAt": iso(event.received_at),
        "integrationId": str(event.integration_id),
        "status": event.problem or refused or _status(entry),
        "alertId": str(entry.alert_id) if entry else "",
        "alias": event.ext_id if entry else "",
    }


def _status(entry: AlertLogEntry | None) -> str:
    if entry is None:
        return "Alert does not exist"
    return "Created alert" if entry.kind == AlertLogEntry.Kind.OPENED else "Processed"


def _action(event: InboundEvent, entry: AlertLogEntry | None) -> str:
    """Return the name of what was asked for; its address says that, but for what was taken away."""
    before, _, last = event.address.strip("/").rpartition("/")
    if before == "v2":
        return "Create"
    if before.endswith("/actions"):
        return "ExecuteCustomAction"
    name = _ACTIONS.get(last, "Delete")
    return _REMOVED.get(name, name) if entry and entry.facts.get("removed") else name
