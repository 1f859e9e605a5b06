"""Pages and documents as text: the same for who asks the portal and for a copy elsewhere."""

import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from django.conf import settings
from django.template.loader import render_to_string

from statuspage.addresses import Addresses
from statuspage.documents import DOCUMENTS, OF_HISTORY
from statuspage.domain.bars import stretches, summary
from statuspage.feeds import FEEDS, feed
from statuspage.queries.incidents import Published
from statuspage.queries.snapshots import Shown, Snapshot

__all__ = [
    "Strip",
    "component",
    "document",
    "front",
    "history",
    "incident",
    "message",
    "paths_of_documents",
    "reaches_back",
]

BAR_WIDTH = 3
BAR_HEIGHT = 24


class Strip(NamedTuple):
    """A component's days as one drawing: a path of all bars of each tone keeps the page small.

    Args:
        paths: Tone and what is drawn in it.
        width: Of the drawing.
        summary: The same in words.
    """

    paths: list[tuple[str, str]]
    width: int
    summary: str

    @classmethod
    def of(cls, shown: Shown) -> "Strip | None":
        """Return the drawing; None where nothing is measured."""
        if not shown.bars:
            return None
        paths = [
            (str(tone), "".join(f"M{BAR_WIDTH * place + 1} 0V{BAR_HEIGHT}" for place in places))
            for tone, places in stretches(shown.bars).items()
            if places
        ]
        return cls(paths, BAR_WIDTH * len(shown.bars) - 1, summary(shown.bars))


class Row(NamedTuple):
    """A component as a page lists it."""

    shown: Shown
    strip: Strip | None


def front(snapshot: Snapshot, at: Addresses) -> str:
    """Return the page."""
    sections = [
        (section.group, [Row(one, Strip.of(one)) for one in section.shown])
        for section in snapshot.sections
    ]
    return _page("page", snapshot, at, sections=sections)


def history(snapshot: Snapshot, at: Addresses) -> str:
    """Return what was, month by month.

    Args:
        snapshot: Taken with the history.
        at: Addresses.
    """
    months = groupby(snapshot.incidents, lambda one: (one.started_at.year, one.started_at.month))
    return _page("history", snapshot, at, months=[list(own) for _, own in months])


def incident(snapshot: Snapshot, told: Published, at: Addresses) -> str:
    """Return the page of one incident."""
    return _page("incident", snapshot, at, incident=told)


def component(snapshot: Snapshot, shown: Shown, at: Addresses) -> str:
    """Return the page of one component: each of its days.

    Args:
        snapshot: Taken with bars.
        shown: One of its components.
        at: Addresses.
    """
    bars = [(BAR_WIDTH * place + 1, bar) for place, bar in enumerate(shown.bars)]
    own = [one for one in snapshot.incidents if _concerns(one, shown)]
    context = {"row": Row(shown, Strip.of(shown)), "bars": bars, "days": bars[::-1], "told": own}
    return _page("component", snapshot, at, **context)


def message(heading: str, text: str, at: Addresses) -> str:
    """Return a page that says one thing."""
    own = {"at": at, "name": settings.STATUSPAGE_NAME}
    return render_to_string("statuspage/link.html", {**own, "heading": heading, "text": text})


def document(snapshot: Snapshot, name: str) -> str:
    """Return a document or a feed, by its path below the page's root.

    Raises:
        KeyError: There is none.
    """
    return _WRITERS[name](snapshot)


def paths_of_documents() -> Iterator[str]:
    """Yield the paths of all documents and feeds below the page's root."""
    yield from _WRITERS


def reaches_back(path: str) -> bool:
    """Return whether a document or feed is made of the page with its history."""
    return path in _OF_HISTORY


def _concerns(told: Published, shown: Shown) -> bool:
    return any(one.component.pk == shown.component.pk for one in told.affected)


def _page(name: str, snapshot: Snapshot, at: Addresses, **context: object) -> str:
    own = {"snapshot": snapshot, "at": at, "name": settings.STATUSPAGE_NAME}
    return render_to_string(f"statuspage/{name}.html", {**own, **context})


def _as_json(name: str) -> Callable[[Snapshot], str]:
    def write(snapshot: Snapshot) -> str:
        return json.dumps(DOCUMENTS[name](snapshot), ensure_ascii=False, separators=(",", ":"))

    return write


def _as_feed(kind: str) -> Callable[[Snapshot], str]:
    def write(snapshot: Snapshot) -> str:
        return feed(snapshot, kind)

    return write


_WRITERS = {
    **{f"api/v2/{name}.json": _as_json(name) for name in DOCUMENTS},
    **{f"feed.{kind}": _as_feed(kind) for kind in FEEDS},
}
_OF_HISTORY = {f"api/v2/{name}.json" for name in OF_HISTORY} | {f"feed.{kind}" for kind in FEEDS}
