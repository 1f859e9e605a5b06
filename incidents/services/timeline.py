"""What happened in an incident, written in the transaction in which it happened."""

from datetime import datetime
from typing import Any

from core.audit import Who
from incidents.models import Incident, TimelineEntry
from incidents.services.acts import name_of

__all__ = ["entry", "write"]

Kind = TimelineEntry.Kind


def entry(
    incident: Incident,
    kind: TimelineEntry.Kind,
    act: str,
    *,
    now: datetime,
    actor: Who = None,
    text: str = "",
    **facts: Any,
) -> TimelineEntry:
    """Return an entry that is still to be stored.

    Args:
        incident: In which it happened.
        kind: What kind of thing.
        act: Verb, e.g. acknowledge.
        now: When.
        actor: Who; None is the portal.
        text: One sentence for people.
        facts: The same for programs, as JSON.
    """
    return TimelineEntry(
        incident=incident,
        at=now,
        kind=kind,
        act=act,
        actor=name_of(actor),
        text=text,
        facts=facts,
    )


def write(
    incident: Incident,
    kind: TimelineEntry.Kind,
    act: str,
    *,
    now: datetime,
    actor: Who = None,
    text: str = "",
    **facts: Any,
) -> TimelineEntry:
    """Append one entry; the arguments are those of `entry`."""
    written = entry(incident, kind, act, now=now, actor=actor, text=text, **facts)
    written.save(force_insert=True)
    return written
