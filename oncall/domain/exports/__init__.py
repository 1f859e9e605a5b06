"""What other on-call tools export, read into one shape: people, schedules, overrides, policies, senders."""

from collections.abc import Callable, Mapping
from typing import Any

from core.storable import storable
from oncall.domain.exports import grafana, opsgenie, pagerduty
from oncall.domain.exports.documents import MISSHAPEN, Export, Unreadable

__all__ = ["READERS", "Export", "Unreadable", "read"]

READERS: Mapping[str, Callable[[Mapping[str, Any]], Export]] = {
    "opsgenie": opsgenie.read,
    "pagerduty": pagerduty.read,
    "grafana-oncall": grafana.read,
}


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
    try:
        found = READERS[source](storable(dict(document)))
    except MISSHAPEN as error:
        raise Unreadable(f"It is not shaped like an export of {source} ({error!r}).") from error
    if not (found.people or found.schedules or found.policies or found.senders):
        raise Unreadable("Neither users, schedules, policies nor integrations are in it.")
    return found
