"""What was told of an incident, what a draft begins with, and what the public would read of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from incidents.domain.communication import (
    BLANK,
    DEFAULTS,
    Audience,
    Kind,
    PublicState,
    filled,
)
from incidents.domain.lifecycle import Status
from incidents.models import CommunicationTemplate, Incident, StatusUpdate
from incidents.queries.targets import response_target

__all__ = [
    "DEFAULT_NAMES",
    "Draft",
    "PublicUpdate",
    "Template",
    "doubts",
    "draft_from",
    "last_public",
    "public_updates",
    "suggested",
    "templates_for",
]

DEFAULT_NAMES: Mapping[Kind, str] = {
    Kind.INITIAL: "Initial notification",
    Kind.UPDATE: "Status update",
    Kind.RESOLUTION: "Resolution",
}


@dataclass(frozen=True)
class Draft:
    """What somebody wants to tell.

    Args:
        audience: Who would read it.
        text: What they would read.
        state: Of a public one where the incident stands; "" of an internal one.
    """

    audience: Audience
    text: str
    state: PublicState | None = None


class PublicUpdate(NamedTuple):
    """All that the public may read of an update: neither who wrote it, nor anything of the incident."""

    state: str
    text: str
    at: datetime


class Template(NamedTuple):
    """What a draft can begin with.

    Args:
        key: Names it in an address: the number of a row, or the kind of a built-in one.
        kind: When it is used.
        name: For people.
        text: With placeholders.
    """

    key: str
    kind: Kind
    name: str
    text: str


def public_updates(incident: Incident) -> list[PublicUpdate]:
    """Return what the public may read of an incident, newest first."""
    told = StatusUpdate.objects.filter(incident=incident, audience=Audience.PUBLIC)
    rows = told.order_by("-at", "-pk").values_list("state", "text", "at")
    return [PublicUpdate(*row) for row in rows]


def last_public(incident: Incident) -> StatusUpdate | None:
    """Return what was last told to the public; None: nothing."""
    told = StatusUpdate.objects.filter(incident=incident, audience=Audience.PUBLIC)
    return told.order_by("-at", "-pk").first()


def doubts(incident: Incident, draft: Draft) -> list[str]:
    """Return what whoever publishes a public update should think of first, as sentences."""
    found = []
    service = incident.service
    if service is not None and service.is_private:
        found.append(f"{service} is private here: this tells everybody that it is in trouble.")
    if draft.state == PublicState.RESOLVED and incident.is_open:
        found.append("The incident is still open here; publishing does not resolve it.")
    if draft.state != PublicState.RESOLVED and not incident.is_open:
        found.append("The incident is over here; this says that it is not.")
    return found


def templates_for(audience: Audience) -> list[Template]:
    """Return what drafts for an audience can begin with, by kind; a kind without a row has the built-in one."""
    rows: dict[str, list[Template]] = {}
    for row in CommunicationTemplate.objects.filter(audience=audience).order_by("name", "pk"):
        kind = Kind(row.kind)
        rows.setdefault(kind, []).append(Template(str(row.pk), kind, row.name, row.text))
    return [
        template
        for kind in Kind
        for template in rows.get(kind)
        or [Template(kind.value, kind, DEFAULT_NAMES[kind], DEFAULTS[kind, audience])]
    ]


def suggested(incident: Incident, audience: Audience) -> Kind:
    """Return which kind of update is next: the first of all, news, or the end."""
    if incident.status in {Status.RESOLVED, Status.CLOSED}:
        return Kind.RESOLUTION
    is_told = StatusUpdate.objects.filter(incident=incident, audience=audience).exists()
    return Kind.UPDATE if is_told else Kind.INITIAL


def draft_from(template: str, incident: Incident, audience: Audience, *, now: datetime) -> str:
    """Return a template filled in for an incident: what a person then edits.

    Args:
        template: With placeholders.
        incident: About which it is.
        audience: Who will read it; the summary, which is internal, goes into no public draft.
        now: The present, from which the next update is counted.
    """
    is_public = audience is Audience.PUBLIC
    next_at = now + response_target(incident.severity).update_every
    values = {
        "service": str(incident.service) if incident.service else "our services",
        "severity": incident.severity,
        "title": incident.title,
        "since": _moment(incident.opened_at),
        "impact": BLANK if is_public else incident.summary.strip() or BLANK,
        "next_update": _moment(next_at),
    }
    return filled(template, values)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
