"""What somebody wrote for nothing is shown to them: they may copy it, and give it to whom it concerns."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from core.errors import Forbidden, NotFound
from core.htmx import render_page

__all__ = ["shows_unkept"]

View = Callable[..., HttpResponseBase]


def shows_unkept(fields: Mapping[str, str]) -> Callable[[View], View]:
    """Have a view that refuses a form altogether show the texts that were sent along with why.

    Above all other decorators: whoever lost a role meanwhile is refused by those.

    Args:
        fields: What each text is called, by its name in the form; they hold no secrets.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **kwargs)
            except (Forbidden, NotFound) as error:
                sent = [(name, request.POST.get(field, "")) for field, name in fields.items()]
                texts = [(name, text) for name, text in sent if text.strip()]
                if not texts:
                    raise
                return _refusal(request, error, texts)

        return guarded

    return decorate


def _refusal(
    request: HttpRequest, error: Forbidden | NotFound, texts: list[tuple[str, str]]
) -> HttpResponse:
    context = {"error": error, "texts": texts}
    return render_page(request, "incidents/unkept.html", context, status=error.status)
