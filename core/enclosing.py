"""Which page an address belongs to: where only a button leads, the page that the button stands on."""

from collections.abc import Callable, Sequence
from typing import Any

from django.urls import Resolver404, resolve

__all__ = ["page_above", "page_at"]


def page_at(path: str) -> str:
    """Return a path where it leads to a page, else the nearest page above it."""
    return path if _is_page(path) else page_above(path)


def page_above(path: str) -> str:
    """Return the nearest page above a path: `/i/7` of `/i/7/note/`."""
    parts = path.strip("/").split("/")
    for length in range(len(parts) - 1, 0, -1):
        above = "/" + "/".join(parts[:length])
        for found in (above, f"{above}/"):
            if _is_page(found):
                return found
    return "/"


def _is_page(path: str) -> bool:
    """Whether there is a view at a path, and it can be asked for rather than only sent to."""
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    methods = _methods_of(view)
    return methods is None or "GET" in methods


def _methods_of(view: Callable[..., Any] | None) -> Sequence[str] | None:
    """Return what `require_http_methods` lets through, which keeps it in its closure only."""
    while view is not None:
        names = getattr(getattr(view, "__code__", None), "co_freevars", ())
        cells = dict(zip(names, getattr(view, "__closure__", None) or (), strict=True))
        if "request_method_list" in cells:
            methods: Sequence[str] = cells["request_method_list"].cell_contents
            return methods
        view = getattr(view, "__wrapped__", None)
    return None
