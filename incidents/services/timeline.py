"""What happened in an incident, written in the transaction in which it happened."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec

from core.audit import Who
from core.inserts import Inserts
from incidents.models import Incident, TimelineEntry
from incidents.services.acts import name_of

__all__ = ["add", "write"]

Kind = TimelineEntry.Kind
P = ParamSpec("P")


def add(
    inserts: Inserts,
    /,
    incident: Incident,
    kind: TimelineEntry.Kind,
    act: str,
    *,
    now: datetime,
    actor: Who = None,
    text: str = "",
    **facts: Any,
) -> None:
    """Add an entry to what is to be inserted.

    Args:
        inserts: Of the transaction in which it happened.
        incident: In which it happened.
        kind: What kind of thing.
        act: Verb, e.g. acknowledge.
        now: When.
        actor: Who; None is the portal.
        text: One sentence for people.
        facts: The same for programs, as JSON.
    """
    inserts.add_row(
        TimelineEntry,
        incident_id=incident.pk,
        at=now,
        kind=kind,
        act=act,
        actor=name_of(actor),
        text=text,
        facts=facts,
    )


def _at_once(add_entry: Callable[Concatenate[Inserts, P], None]) -> Callable[P, None]:
    def write_entry(*args: P.args, **kwargs: P.kwargs) -> None:
        inserts = Inserts()
        add_entry(inserts, *args, **kwargs)
        inserts.write()

    return write_entry


# Appends one entry now; the arguments are those of `add`, without what is to be inserted.
write = _at_once(add)
