"""The public page: read by everybody, without a session, and kept by whoever stands in between."""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.http import require_safe

from accounts.access import public
from core.clock import now
from core.errors import NotFound
from core.problems import problem_response, wants_json
from statuspage import rendering
from statuspage.addresses import live
from statuspage.queries import incidents, snapshots

__all__ = ["component", "document", "history", "incident", "no_document", "page"]

View = Callable[..., HttpResponseBase]
# As long as it takes until those who look see what was published.
_FRESH_S = 30
_STALE_S = 24 * 3600
_HTML = "text/html; charset=utf-8"
_TYPES = {
    "json": "application/json; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
}


def _for_everybody(view: Callable[..., HttpResponse]) -> View:
    """Have an answer kept by caches, and sent once to those who have it."""

    @wraps(view)
    def cached(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            answer = view(request, *args, **kwargs)
        except NotFound as error:
            return _nothing(request, error)
        answer["ETag"] = f'"{sha256(answer.content).hexdigest()[:32]}"'
        patch_cache_control(answer, public=True, max_age=_FRESH_S, stale_if_error=_STALE_S)
        found = get_conditional_response(request, etag=answer["ETag"], response=answer)
        assert isinstance(found, HttpResponse)
        return _readable_everywhere(found)

    return require_safe(public("The status page is for everybody.")(cached))


def _readable_everywhere(answer: HttpResponse) -> HttpResponse:
    """Let programs of other sites read it, as they read Statuspage's; that it did not change, too."""
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def _nothing(request: HttpRequest, error: NotFound) -> HttpResponse:
    """Say it in the frame of the public page: the portal's own has forms, which need a cookie."""
    if wants_json(request):
        return _readable_everywhere(problem_response(error))
    said = rendering.message("There is nothing here", error.message, live())
    return HttpResponse(said, status=404, content_type=_HTML)


@_for_everybody
def page(request: HttpRequest) -> HttpResponse:
    """Show how everything is."""
    snapshot = snapshots.take(now=now(), with_bars=True)
    return HttpResponse(rendering.front(snapshot, live()), content_type=_HTML)


@_for_everybody
def history(request: HttpRequest) -> HttpResponse:
    """Show the incidents of the last year."""
    snapshot = snapshots.take(now=now(), is_history=True)
    return HttpResponse(rendering.history(snapshot, live()), content_type=_HTML)


@_for_everybody
def incident(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one incident, however old."""
    told = incidents.published(public_id)
    if told is None:
        raise NotFound("No such incident was reported here.")
    snapshot = snapshots.Snapshot(now())
    return HttpResponse(rendering.incident(snapshot, told, live()), content_type=_HTML)


@_for_everybody
def component(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one component, day by day."""
    snapshot = snapshots.take(now=now(), with_bars=True)
    for shown in snapshot.shown:
        if shown.component.public_id == public_id:
            return HttpResponse(rendering.component(snapshot, shown, live()), content_type=_HTML)
    raise NotFound("No such component is listed here.")


@_for_everybody
def document(request: HttpRequest, path: str) -> HttpResponse:
    """Answer as programs read it."""
    snapshot = snapshots.take(now=now())
    kind = path.rpartition(".")[2]
    return HttpResponse(rendering.document(snapshot, path), content_type=_TYPES[kind])


@_for_everybody
def no_document(request: HttpRequest, rest: str) -> HttpResponse:
    """Tell programs, in words of theirs, that there is no such document."""
    raise NotFound(f"There is no document “{rest}”: begin with summary.json.")
