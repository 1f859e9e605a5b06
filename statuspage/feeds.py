"""The page as feed readers have it: RSS and Atom, an entry for each incident and for each maintenance."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed, SyndicationFeed
from django.utils.html import format_html_join

from statuspage.addresses import public_address
from statuspage.queries.incidents import Published
from statuspage.queries.maintenance import Planned, Stage
from statuspage.queries.snapshots import Snapshot

__all__ = ["FEEDS", "feed"]

_MOST_IN_FEED = 25
# XML has no way to write them.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SAID_OF = {Stage.IN_PROGRESS: "It has begun.", Stage.COMPLETED: "It is over."}
Entry = dict[str, Any]
FEEDS: dict[str, type[SyndicationFeed]] = {"atom": Atom1Feed, "rss": Rss201rev2Feed}


def feed(snapshot: Snapshot, kind: str) -> str:
    """Return the incidents and the maintenance of the page as a feed, an entry each.

    Args:
        snapshot: The page.
        kind: Of `FEEDS`.
    """
    name = _storable(settings.STATUSPAGE_NAME)
    made = FEEDS[kind](
        title=f"{name}: incidents and maintenance",
        link=public_address(),
        description="What is wrong, what was, and what is planned.",
        language="en",
        feed_url=public_address(f"feed.{kind}"),
        feed_guid=_stable_id("page"),
        author_name=name or "Status",
    )
    entries = [*map(_of_incident, snapshot.incidents), *map(_of_maintenance, snapshot.maintenance)]
    entries.sort(key=lambda entry: entry["updateddate"], reverse=True)
    for entry in entries[:_MOST_IN_FEED]:
        made.add_item(**_clean(entry))
    # Not when it was asked for: the same page is the same feed.
    made.latest_post_date = lambda: snapshot.updated_at  # type: ignore[method-assign]
    return str(made.writeString("utf-8"))


def _of_incident(incident: Published) -> Entry:
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


def _of_maintenance(work: Planned) -> Entry:
    span = f"{work.starts_at:%-d %b %Y, %H:%M} to {work.ends_at:%-d %b %Y, %H:%M} UTC"
    said = [_SAID_OF[work.stage]] if work.stage in _SAID_OF else []
    parts = ", ".join(component.name for component in work.components)
    return {
        "title": f"{work.title}: {work.starts_at:%-d %b %Y, %H:%M} UTC",
        "link": public_address(f"#maintenance-{work.public_id}"),
        "description": _as_html([*said, span, parts, *([work.text] if work.text else [])]),
        "unique_id": _stable_id(f"maintenance:{work.public_id}"),
        "unique_id_is_permalink": False,
        "pubdate": work.created_at,
        "updateddate": work.updated_at,
    }


def _as_html(lines: Sequence[str]) -> str:
    """Return paragraphs; readers take descriptions for HTML, so what was typed is escaped."""
    return format_html_join("", "<p>{}</p>", ((line,) for line in lines))


def _clean(entry: Mapping[str, Any]) -> Entry:
    return {name: _storable(value) for name, value in entry.items()}


def _storable(value: Any) -> Any:
    return _CONTROLS.sub("", value) if isinstance(value, str) else value


def _stable_id(name: str) -> str:
    """Return an id that stays the same wherever the page is read."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"sreportal:status:{name}").urn
