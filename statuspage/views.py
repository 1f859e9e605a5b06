"""The public page, its documents and its feeds."""

from django.http import HttpRequest, HttpResponse

from core.clock import now
from core.errors import NotFound
from statuspage import rendering
from statuspage.addresses import live
from statuspage.queries import incidents, snapshots
from statuspage.serving import HTML, for_everybody

__all__ = ["component", "document", "history", "incident", "no_document", "page"]

_TYPES = {
    "json": "application/json; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
}


@for_everybody
def page(request: HttpRequest) -> HttpResponse:
    """Show how everything is."""
    snapshot = snapshots.take(now=now(), with_bars=True)
    return HttpResponse(rendering.front(snapshot, live()), content_type=HTML)


@for_everybody
def history(request: HttpRequest) -> HttpResponse:
    """Show the incidents of the last year."""
    snapshot = snapshots.take(now=now(), is_history=True)
    return HttpResponse(rendering.history(snapshot, live()), content_type=HTML)


@for_everybody
def incident(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one incident, however old."""
    told = incidents.published(public_id)
    if told is None:
        raise NotFound("No such incident was reported here.")
    snapshot = snapshots.Snapshot(now())
    return HttpResponse(rendering.incident(snapshot, told, live()), content_type=HTML)


@for_everybody
def component(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one component, day by day."""
    snapshot = snapshots.take(now=now(), with_bars=True)
    for shown in snapshot.shown:
        if shown.component.public_id == public_id:
            return HttpResponse(rendering.component(snapshot, shown, live()), content_type=HTML)
    raise NotFound("No such component is listed here.")


@for_everybody
def document(request: HttpRequest, path: str) -> HttpResponse:
    """Answer as programs read it."""
    snapshot = snapshots.take(now=now(), is_history=rendering.reaches_back(path))
    kind = path.rpartition(".")[2]
    return HttpResponse(rendering.document(snapshot, path), content_type=_TYPES[kind])


@for_everybody
def no_document(request: HttpRequest, rest: str) -> HttpResponse:
    """Tell programs, in words of theirs, that there is no such document."""
    raise NotFound(f"There is no document “{rest}”: begin with summary.json.")
