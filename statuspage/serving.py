"""How public addresses answer: the same to everybody, without a session, and kept by whoever stands between.

What is asked by another method than an address knows is refused before anything looks for a session or
a token of one, so that no answer of the public page depends on who asks.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from hashlib import sha256

from django.core.exceptions import (
    BadRequest,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts.access import public
from core.errors import DomainError, InvalidInput, NotFound
from core.problems import (
    CONTENT_TYPE,
    problem,
    problem_response,
    refusal_of,
    wants_json,
)
from statuspage import rendering
from statuspage.addresses import live

__all__ = ["HTML", "asked_of_anybody", "for_everybody"]

View = Callable[..., HttpResponseBase]
HTML = "text/html; charset=utf-8"
# As long as it takes until those who look see what was published.
_FRESH_S = 30
_STALE_S = 24 * 3600
_READ = ("GET", "HEAD")
_FORM = (*_READ, "POST")
_A_DAY_S = 86_400
# What Django says of a body that is too long, or no form.
_UNREADABLE = (
    *(RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent),
    *(BadRequest, MultiPartParserError, UnreadablePostError),
)


def for_everybody(view: Callable[..., HttpResponse]) -> View:
    """Have an answer kept by caches, and sent once to those who have it."""

    @wraps(view)
    def cached(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.method not in _READ:
            return _of_any_site(_not_read(request, _READ))
        try:
            answer = view(request, *args, **kwargs)
        except NotFound as error:
            return _nothing(request, error)
        answer["ETag"] = f'"{sha256(answer.content).hexdigest()[:32]}"'
        patch_cache_control(answer, public=True, max_age=_FRESH_S, stale_if_error=_STALE_S)
        found = get_conditional_response(request, etag=answer["ETag"], response=answer)
        assert isinstance(found, HttpResponse)
        return _readable_everywhere(found)

    # Nothing is changed here, so there is nothing to forge: a token would only hide that from programs.
    return csrf_exempt(_whatever_is_asked(public("The status page is for everybody.")(cached)))


def asked_of_anybody(why: str) -> Callable[[Callable[..., HttpResponse]], View]:
    """Have a form answered that needs neither an account nor a cookie, and is kept by nobody.

    A forged request could do no more than anybody can: CSRF tokens, which need a cookie, would protect
    nothing.

    Args:
        why: Whoever may send it.
    """

    def decorate(view: Callable[..., HttpResponse]) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            if request.method not in _FORM:
                return _not_read(request, _FORM)
            try:
                return view(request, *args, **kwargs)
            except _UNREADABLE as error:
                refusal = refusal_of(error) or InvalidInput("It cannot be read.", field="body")
                return _refused(refusal)

        return csrf_exempt(_whatever_is_asked(never_cache(public(why)(asked))))

    return decorate


def _whatever_is_asked(view: View) -> View:
    """Have nothing of the query looked at before the view, which reads none."""
    view.takes_any_query = True  # type: ignore[attr-defined]
    return view


def _refused(error: DomainError) -> HttpResponse:
    """Say it in the frame of the public page: the portal's own needs a cookie."""
    page = rendering.message("That was not taken", error.message, live())
    return HttpResponse(page, status=error.status, content_type=HTML)


def _not_read(request: HttpRequest, methods: Sequence[str]) -> HttpResponse:
    """Say what an address takes, and refuse all else."""
    allowed = ", ".join((*methods, "OPTIONS"))
    if request.method == "OPTIONS":
        answer = HttpResponse(status=204)
    elif wants_json(request):
        said = problem(405, f"This is only read: {allowed}.", code="method_not_allowed")
        refused = JsonResponse(said, status=405, content_type=CONTENT_TYPE)
        answer = _readable_everywhere(refused)
    else:
        text = "This address is only looked at: open it anew."
        page = rendering.message("Nothing was changed", text, live())
        answer = HttpResponse(page, status=405, content_type=HTML)
    answer["Allow"] = allowed
    return answer


def _of_any_site(answer: HttpResponse) -> HttpResponse:
    """Let scripts of other sites ask first, as browsers do before a read with a tag."""
    if answer.status_code == 204:
        _readable_everywhere(answer)
        answer["Access-Control-Allow-Methods"] = answer["Allow"]
        answer["Access-Control-Allow-Headers"] = "If-None-Match, If-Modified-Since, Content-Type"
        answer["Access-Control-Max-Age"] = str(_A_DAY_S)
    return answer


def _readable_everywhere(answer: HttpResponse) -> HttpResponse:
    """Let programs of other sites read it, as they read Statuspage's; that it did not change, too."""
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Access-Control-Expose-Headers"] = "ETag"
    return answer


def _nothing(request: HttpRequest, error: NotFound) -> HttpResponse:
    """Say it in the frame of the public page: the portal's own has forms, which need a cookie."""
    if wants_json(request):
        answer = _readable_everywhere(problem_response(error))
    else:
        said = rendering.message("There is nothing here", error.message, live())
        answer = HttpResponse(said, status=404, content_type=HTML)
    # Else a cache may keep for long that something is not there which is in a moment.
    patch_cache_control(answer, public=True, max_age=_FRESH_S)
    return answer
