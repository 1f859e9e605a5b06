"""What other on-call tools export, read into one shape: people, schedules, overrides, policies, senders."""

from collections.abc import Callable, Mapping
from typing import Any

from core.storable import storable
from oncall.domain.exports import grafana, opsgenie, pagerduty
from oncall.domain.exports.documents import MISSHAPEN, Export, Unreadable, rows

__all__ = ["READERS", "Export", "Unreadable", "read"]

READERS: Mapping[str, Callable[[Mapping[str, Any]], Export]] = {
    "opsgenie": opsgenie.read,
    "pagerduty": pagerduty.read,
    "grafana-oncall": grafana.read,
}

# What only one of them has.
_OWN_LISTS = {
    "opsgenie": ("escalations",),
    "pagerduty": ("services",),
    "grafana-oncall": ("on_call_shifts", "escalation_chains", "personal_notification_rules"),
}


def _looks_like(document: Mapping[str, Any]) -> set[str]:
    """Return whose export it may be: which of the lists that only one tool has are in it."""
    found = {of for of, names in _OWN_LISTS.items() if any(document.get(name) for name in names)}
    for name, of in (("rotations", "opsgenie"), ("schedule_layers", "pagerduty")):
        found |= {of} if any(name in row for row in rows(document, "schedules")) else set()
    return found


def read(source: str, document: object) -> Export:
    """Read an export.

    Args:
        source: One of `READERS`.
        document: What its JSON says.

    Raises:
        Unreadable: It is no export of that tool.
    """
    if not isinstance(document, Mapping):
        raise Unreadable("The file is no JSON object with users, schedules and policies in it.")
    seen = _looks_like(document)
    if seen and source not in seen:
        told = " or ".join(sorted(seen))
        raise Unreadable(f"This looks like an export of {told}, not of {source}.")
    try:
        found = READERS[source](storable(dict(document)))
    except MISSHAPEN as error:
        raise Unreadable(f"It is not shaped like an export of {source} ({error!r}).") from error
    if not (found.people or found.schedules or found.policies or found.senders):
        raise Unreadable("Neither users, schedules, policies nor integrations are in it.")
    return found
