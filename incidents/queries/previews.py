"""What a mapping would make of the bodies that came in last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incidents.domain.events import AlertEvent
from incidents.domain.formats import generic
from incidents.domain.formats.context import Context
from incidents.domain.payloads import Unreadable, decode
from incidents.models import InboundEvent, Integration

__all__ = ["NEWEST", "Preview", "previews"]

NEWEST = 20


@dataclass(frozen=True)
class Preview:
    """One body, and what it would say."""

    event: InboundEvent
    events: tuple[AlertEvent, ...]
    problem: str


def previews(integration: Integration, mapping: Mapping[str, Any]) -> list[Preview]:
    """Return what `mapping` makes of the last 20 bodies, newest first; nothing is changed."""
    context = Context(integration.kind, severity_map=integration.severity_map, mapping=mapping)
    newest = integration.events.order_by("-pk")[:NEWEST]
    return [_preview(event, context) for event in newest]


def _preview(event: InboundEvent, context: Context) -> Preview:
    try:
        reading = generic.read(decode(bytes(event.body), event.content_type), context)
    except Unreadable as error:
        return Preview(event, (), str(error))
    return Preview(event, reading.events, "; ".join(reading.remarks))
