"""Action items and postmortems as CSV, and one postmortem as a Markdown document of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from accounts.models import User
from core.csv_export import Cell, csv_response
from core.markdown import closed
from core.markdown_text import escaped
from incidents.domain.postmortems import SECTIONS
from incidents.models import ActionItem, Incident, Postmortem
from incidents.queries.postmortems import demands, due_at, readable, standing

__all__ = ["as_markdown", "items_csv", "postmortems_csv"]

_OF_ITEMS = (
    "id", "state", "is_overdue", "kind", "title", "owner", "due_on", "incident", "service", "url",
    "created_by", "created_at", "done_at", "done_by", "dropped_at", "dropped_by", "drop_reason",
)  # fmt: skip
_OF_POSTMORTEMS = (
    "incident", "standing", "severity", "title", "service", "author", "resolved_at", "due_at",
    "published_at", "published_by",
)  # fmt: skip
_CHUNK = 500
_EMPTY = "Nothing is written down."


def items_csv(items: QuerySet[ActionItem], *, now: datetime) -> StreamingHttpResponse:
    """Return action items, with owner and service loaded, as a download: how each stands at `now`."""
    return csv_response("action-items.csv", _OF_ITEMS, _items(items, now))


def postmortems_csv(
    incidents: QuerySet[Incident], user: User, *, now: datetime
) -> StreamingHttpResponse:
    """Return incidents that owe or have a postmortem, each with it loaded, as a download for `user`."""
    return csv_response("postmortems.csv", _OF_POSTMORTEMS, _postmortems(incidents, user, now))


def as_markdown(postmortem: Postmortem) -> str:
    """Return a postmortem with all that belongs to it; its incident is loaded."""
    incident = postmortem.incident
    parts = [f"# Postmortem of #{incident.pk}: {escaped(incident.title)}", _head(postmortem)]
    parts += [
        f"## {each.heading}\n\n{closed(getattr(postmortem, each.name)) or _EMPTY}"
        for each in SECTIONS
    ]
    items = incident.action_items.select_related("owner").soonest_first()
    parts.append("## Action items\n\n" + ("\n".join(map(_item, items)) or "None."))
    reviews = [
        f"- {escaped(str(review))}{_comment(review.comment)}" for review in postmortem.reviews.all()
    ]
    parts.append("## Reviews\n\n" + ("\n".join(reviews) or "None."))
    return "\n\n".join(parts) + "\n"


def _head(postmortem: Postmortem) -> str:
    incident = postmortem.incident
    published = f"{_at(postmortem.published_at)} by {escaped(postmortem.published_by)}"
    lines = [
        f"Severity: {incident.severity}",
        f"Service: {escaped(incident.service.name) if incident.service else 'none'}",
        f"Opened: {_at(incident.opened_at)}",
        f"Resolved: {_at(incident.resolved_at)}",
        f"Author: {escaped(str(postmortem.author)) if postmortem.author else 'no longer known'}",
        f"Published: {published if postmortem.published_at else 'not yet'}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _item(item: ActionItem) -> str:
    mark = "x" if item.state == "done" else " "
    owner = escaped(item.whose) or "nobody"
    due = f", due {item.due_on}" if item.due_on else ""
    dropped = f", dropped: {escaped(item.drop_reason)}" if item.state == "dropped" else ""
    # A sign that ends an address in Markdown is percent-encoded.
    ticket = f" <{item.url.replace('<', '%3C').replace('>', '%3E')}>" if item.url else ""
    return f"- [{mark}] {escaped(item.title)} ({owner}{due}{dropped}){ticket}"


def _comment(comment: str) -> str:
    return f": {escaped(comment)}" if comment else ""


def _at(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else "not yet"


def _items(items: QuerySet[ActionItem], now: datetime) -> Iterator[list[Cell]]:
    for item in items.iterator(chunk_size=_CHUNK):
        service = item.incident.service
        special: dict[str, Cell] = {
            "is_overdue": item.is_overdue(now),
            "owner": item.owner.username if item.owner else "",
            "due_on": item.due_on.isoformat() if item.due_on else "",
            "incident": item.incident_id,
            "service": service.slug if service else "",
        }
        yield [special.get(name, getattr(item, name, None)) for name in _OF_ITEMS]


def _postmortems(incidents: QuerySet[Incident], user: User, now: datetime) -> Iterator[list[Cell]]:
    asked = demands()
    for incident in incidents.iterator(chunk_size=_CHUNK):
        found = readable(incident, user)
        special: dict[str, Cell] = {
            "incident": incident.pk,
            "standing": standing(incident, asked, now=now),
            "service": incident.service.slug if incident.service else "",
            "author": found.author.username if found and found.author else "",
            "due_at": due_at(incident, asked),
            "published_at": found.published_at if found else None,
            "published_by": found.published_by if found else "",
        }
        yield [special.get(name, getattr(incident, name, None)) for name in _OF_POSTMORTEMS]
