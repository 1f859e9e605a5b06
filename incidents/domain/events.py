"""What a sender says about an alert, in the portal's words whatever format it came in."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from incidents.domain.heartbeats import Sign

__all__ = ["Act", "AlertEvent", "ChangeReport", "HeartbeatPing", "Reading", "key_of"]

_KEY_LENGTH = 512


class Act(StrEnum):
    """What a sender wants done with the alert of its key."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESOLVE = "resolve"
    NOTE = "note"


class AlertEvent(Struct, frozen=True):
    """One thing that a sender says about one condition.

    Args:
        act: What is to be done.
        dedup_key: Identity of the condition within its integration, up to 512 characters.
        title: One sentence for a phone's lock screen.
        severity: P0 to P3.
        pages: False for what only informs: kept and shown, nobody is called.
        detail: The rest, in words.
        url: The sender's page about it.
        runbook_url: What to do about it.
        labels: Names and values by which silences and routes match.
        group_key: What belongs together is one incident; "" groups by the key itself.
        at: When it began, changed or ended by the sender's clock.
        is_ordered: Whether that clock tells which of two events came later. Alertmanager's does
            not: after a break it sends the alert that it had ended with its old beginning.
        actor: Who did it, as the sender names them.
        is_person: Whether the sender says that `actor` is a person, and no program or service.
        fired_before: Of an end: whether the sender says that it had fired until then.
        change: Of a note: what is changed with it, a name that `incidents.services.alert_actions`
            knows; `facts` has what that needs.
        facts: Figures that decided, as JSON.
        note: What somebody wrote with it, for the alert's log.
        alert_id: Of what is done to an alert: the one that is meant, open or not. None: the one of
            the key that is open.
    """

    act: Act
    dedup_key: str
    title: str = ""
    severity: str = "P2"
    pages: bool = True
    detail: str = ""
    url: str = ""
    runbook_url: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    group_key: str = ""
    at: datetime | None = None
    is_ordered: bool = False
    actor: str = ""
    is_person: bool = False
    fired_before: bool = False
    change: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    alert_id: int | None = None

    @property
    def group(self) -> str:
        """What belongs together, never ""."""
        return self.group_key or self.dedup_key


class ChangeReport(Struct, frozen=True):
    """A deploy or another change, that nobody is called for."""

    summary: str
    source: str = ""
    at: datetime | None = None
    url: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class HeartbeatPing(Struct, frozen=True):
    """A sign of life; its absence is what alerts.

    Args:
        name: What the sender calls that which lives; "" where it is the integration itself.
        sign: What it says.
    """

    name: str = ""
    sign: Sign = Sign.SUCCESS


class Reading(Struct, frozen=True):
    """All that one body says.

    Args:
        events: In the order in which they are to be done.
        changes: Deploys and the like.
        pings: Signs of life.
        remarks: Elements that could not be read.
        notes: What is only to be answered, of what was understood.
        delivery_id: What a sender that proved itself calls the message; a second one of that name is
            the same again. "" where messages have no names.
    """

    events: tuple[AlertEvent, ...] = ()
    changes: tuple[ChangeReport, ...] = ()
    pings: tuple[HeartbeatPing, ...] = ()
    remarks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    delivery_id: str = ""


def key_of(*parts: str) -> str:
    """Return a dedup key made of what identifies a condition; too long a one is hashed."""
    key = "/".join(part for part in parts if part)
    return key if len(key) <= _KEY_LENGTH else hashlib.sha256(key.encode()).hexdigest()
