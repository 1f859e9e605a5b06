"""The page as programs read it: documents in the shape of Statuspage's API v2, and feeds."""

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed, SyndicationFeed
from django.utils.html import format_html_join

from statuspage.addresses import public_address
from statuspage.domain.statuses import worst
from statuspage.models import Component, ComponentGroup
from statuspage.queries.incidents import Published, Update
from statuspage.queries.maintenance import Planned, Stage
from statuspage.queries.snapshots import Shown, Snapshot

__all__ = ["DOCUMENTS", "FEEDS", "feed", "written"]

_MOST_IN_FEED = 25
# XML has no way to write them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
Document = dict[str, Any]


def written(at: datetime | None) -> str | None:
    """Return an instant as the documents have it."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def page_id() -> str:
    """Return the name of this page, which its address has."""
    return hashlib.sha256(public_address().encode()).hexdigest()[:12]


def _page(snapshot: Snapshot) -> Document:
    return {
        "id": page_id(),
        "name": settings.STATUSPAGE_NAME,
        "url": public_address(),
        "time_zone": "Etc/UTC",
        "updated_at": written(snapshot.updated_at),
    }


def _status(snapshot: Snapshot) -> Document:
    indicator, description = snapshot.overall
    return {"indicator": str(indicator), "description": description}


def _component(component: Component, status: str) -> Document:
    group = component.group
    return {
        "id": component.public_id,
        "name": component.name,
        "status": status,
        "created_at": written(component.created_at),
        "updated_at": written(component.updated_at),
        "position": component.order,
        "description": component.description or None,
        "showcase": bool(component.slo_id),
        "start_date": None,
        "group_id": group.public_id if group else None,
        "page_id": page_id(),
        "group": False,
        "only_show_if_degraded": False,
    }


def _group(group: ComponentGroup, shown: Sequence[Shown]) -> Document:
    return {
        "id": group.public_id,
        "name": group.name,
        "status": str(worst(one.status for one in shown)),
        "created_at": written(group.created_at),
        "updated_at": written(group.updated_at),
        "position": group.order,
        "description": None,
        "showcase": False,
        "start_date": None,
        "group_id": None,
        "page_id": page_id(),
        "group": True,
        "only_show_if_degraded": False,
        "components": [one.component.public_id for one in shown],
    }


def _components(snapshot: Snapshot) -> list[Document]:
    found = []
    for section in snapshot.sections:
        if section.group:
            found.append(_group(section.group, section.shown))
        found += [_component(one.component, str(one.status)) for one in section.shown]
    return found


def _update(update: Update, incident: Published) -> Document:
    return {
        "id": update.public_id,
        "status": str(update.state),
        "body": update.text,
        "incident_id": incident.public_id,
        "created_at": written(update.at),
        "updated_at": written(update.at),
        "display_at": written(update.at),
        "affected_components": None,
        "deliver_notifications": True,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _incident(incident: Published, standing: Mapping[int, str]) -> Document:
    # One that is shown since the components were read has no status yet.
    parts = [one.component for one in incident.affected if one.component.pk in standing]
    return {
        "id": incident.public_id,
        "name": incident.title,
        "status": str(incident.state),
        "created_at": written(incident.started_at),
        "updated_at": written(incident.updated_at),
        "monitoring_at": written(incident.monitoring_at),
        "resolved_at": written(incident.resolved_at),
        "impact": str(incident.impact),
        "shortlink": public_address(f"incidents/{incident.public_id}/"),
        "started_at": written(incident.started_at),
        "page_id": page_id(),
        "incident_updates": [_update(update, incident) for update in incident.updates],
        "components": [_component(part, standing[part.pk]) for part in parts],
        "reminder_intervals": None,
    }


def _maintenance(work: Planned, standing: Mapping[int, str]) -> Document:
    over = work.ends_at if work.stage is Stage.COMPLETED else None
    begun = None if work.stage is Stage.SCHEDULED else work.starts_at
    told = over or begun or work.changed_at
    said: Document = {
        "id": f"{work.public_id}-1",
        "status": str(work.stage),
        "body": work.text or work.title,
        "incident_id": work.public_id,
        "created_at": written(work.created_at),
        "updated_at": written(told),
        "display_at": written(told),
        "affected_components": None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }
    return {
        "id": work.public_id,
        "name": work.title,
        "status": str(work.stage),
        "created_at": written(work.created_at),
        "updated_at": written(told),
        "monitoring_at": None,
        "resolved_at": written(over),
        "impact": "maintenance",
        "shortlink": public_address(f"#maintenance-{work.public_id}"),
        "started_at": written(begun or work.starts_at),
        "page_id": page_id(),
        "incident_updates": [said],
        "components": [_component(part, standing[part.pk]) for part in work.components],
        "reminder_intervals": None,
        "scheduled_for": written(work.starts_at),
        "scheduled_until": written(work.ends_at),
    }


def _incidents(snapshot: Snapshot, chosen: Sequence[Published]) -> list[Document]:
    standing = _standing(snapshot)
    return [_incident(one, standing) for one in chosen]


def _work(snapshot: Snapshot, *stages: Stage) -> list[Document]:
    standing = _standing(snapshot)
    return [_maintenance(one, standing) for one in snapshot.maintenance if one.stage in stages]


def _standing(snapshot: Snapshot) -> dict[int, str]:
    return {one.component.pk: str(one.status) for one in snapshot.shown}


def _summary(snapshot: Snapshot) -> Document:
    return {
        "components": _components(snapshot),
        "incidents": _incidents(snapshot, snapshot.open_incidents),
        "scheduled_maintenances": _work(snapshot, Stage.SCHEDULED, Stage.IN_PROGRESS),
        "status": _status(snapshot),
    }


def _of_work(*stages: Stage) -> Callable[[Snapshot], Document]:
    def document(snapshot: Snapshot) -> Document:
        return {"scheduled_maintenances": _work(snapshot, *stages)}

    return document


def _framed(content: Callable[[Snapshot], Document]) -> Callable[[Snapshot], Document]:
    def document(snapshot: Snapshot) -> Document:
        return {"page": _page(snapshot), **content(snapshot)}

    return document


# By path below `api/v2/`, without `.json`.
DOCUMENTS: dict[str, Callable[[Snapshot], Document]] = {
    "summary": _framed(_summary),
    "status": _framed(lambda snapshot: {"status": _status(snapshot)}),
    "components": _framed(lambda snapshot: {"components": _components(snapshot)}),
    "incidents": _framed(lambda each: {"incidents": _incidents(each, each.incidents)}),
    "incidents/unresolved": _framed(
        lambda each: {"incidents": _incidents(each, each.open_incidents)}
    ),
    "scheduled-maintenances": _framed(_of_work(*Stage)),
    "scheduled-maintenances/upcoming": _framed(_of_work(Stage.SCHEDULED)),
    "scheduled-maintenances/active": _framed(_of_work(Stage.IN_PROGRESS)),
}
FEEDS: dict[str, type[SyndicationFeed]] = {"atom": Atom1Feed, "rss": Rss201rev2Feed}


def feed(snapshot: Snapshot, kind: str) -> str:
    """Return the incidents and the maintenance of the page as a feed, an entry each.

    Args:
        snapshot: The page.
        kind: Of `FEEDS`.
    """
    made = FEEDS[kind](
        title=f"{settings.STATUSPAGE_NAME}: incidents and maintenance",
        link=public_address(),
        description="What is wrong, what was, and what is planned.",
        language="en",
        feed_url=public_address(f"feed.{kind}"),
        feed_guid=_stable_id("page"),
        author_name=settings.STATUSPAGE_NAME,
    )
    entries = [*map(_of_incident, snapshot.incidents), *map(_of_maintenance, snapshot.maintenance)]
    entries.sort(key=lambda entry: entry["updateddate"], reverse=True)
    for entry in entries[:_MOST_IN_FEED]:
        clean = {name: _storable(value) for name, value in entry.items()}
        made.add_item(**clean)
    # Not when it was asked for: the same page is the same feed.
    made.latest_post_date = lambda: snapshot.updated_at  # type: ignore[method-assign]
    return str(made.writeString("utf-8"))


def _of_incident(incident: Published) -> Document:
    lines = [
        f"{update.at:%-d %b, %H:%M} UTC, {update.state.capitalize()}: {update.text}"
        for update in incident.updates
    ]
    return {
        "title": incident.title,
        "link": public_address(f"incidents/{incident.public_id}/"),
        "description": _as_html(lines),
        "unique_id": _stable_id(f"incident:{incident.public_id}"),
        "unique_id_is_permalink": False,
        "pubdate": incident.started_at,
        "updateddate": incident.updated_at,
    }


def _of_maintenance(work: Planned) -> Document:
    span = f"{work.starts_at:%-d %b %Y, %H:%M} to {work.ends_at:%-d %b %Y, %H:%M} UTC"
    parts = ", ".join(component.name for component in work.components)
    return {
        "title": f"{work.title}: {work.starts_at:%-d %b %Y, %H:%M} UTC",
        "link": public_address(f"#maintenance-{work.public_id}"),
        "description": _as_html([span, parts, *([work.text] if work.text else [])]),
        "unique_id": _stable_id(f"maintenance:{work.public_id}"),
        "unique_id_is_permalink": False,
        "pubdate": work.created_at,
        "updateddate": work.changed_at,
    }


def _as_html(lines: Sequence[str]) -> str:
    """Return paragraphs; readers take descriptions for HTML, so what was typed is escaped."""
    return format_html_join("", "<p>{}</p>", ((line,) for line in lines))


def _storable(value: Any) -> Any:
    return _CONTROLS.sub("", value) if isinstance(value, str) else value


def _stable_id(name: str) -> str:
    """Return an id that stays the same wherever the page is read."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sreportal:status:{name}").urn
