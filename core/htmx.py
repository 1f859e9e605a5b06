"""One rule for pages and their fragments."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from core.form_errors import mistakes_in


def render_page(
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    partial: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render `template`, or only its partial when HTMX asks for a fragment.

    Boosted requests get the page: they replace the whole body. A form with errors (422) is summed up
    at the top: the page may be long, and the form far down.

    Args:
        request: The request; `request.htmx` decides.
        template: Path below `templates/`.
        context: Template context.
        partial: Name of a `{% partialdef %}` in that template.
        status: HTTP status; 422 for a form with errors.
    """
    htmx = getattr(request, "htmx", None)
    fragment = partial is not None and bool(htmx) and not getattr(htmx, "boosted", False)
    name = f"{template}#{partial}" if fragment else template
    if status == 422:
        context = {**context, "mistakes": mistakes_in(context)}
    response = render(request, name, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
