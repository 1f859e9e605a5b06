"""The navigation: what the portal has to go to, as data.

An entry shows when its address resolves and the person may go there, so a page appears in the
navigation the moment its app adds the URL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import Resolver404, get_script_prefix, get_urlconf, resolve

Count = Callable[[AbstractBaseUser | AnonymousUser], int | None]


@dataclass(frozen=True)
class Entry:
    """One place to go: label, path from the portal's root, Lucide icon, key after `g`."""

    label: str
    path: str
    icon: str
    key: str = ""
    staff_only: bool = False


@dataclass(frozen=True)
class Link:
    """An entry as one person sees it on one page."""

    label: str
    href: str
    icon: str
    key: str
    current: bool
    count: int | None


@dataclass(frozen=True)
class Group:
    """Entries under one heading; the first group has none."""

    label: str
    entries: tuple[Entry, ...]


GROUPS: tuple[Group, ...] = (
    Group(
        "",
        (
            Entry("Overview", "/", "layout-dashboard", "h"),
            Entry("Incidents", "/incidents/", "flame", "i"),
            Entry("On call", "/oncall/", "phone-call", "n"),
            Entry("Objectives", "/slo/", "target", "o"),
            Entry("Services", "/services/", "boxes", "s"),
            Entry("Alerts", "/alerts/", "siren", "a"),
        ),
    ),
    Group(
        "Improve",
        (
            Entry("Action items", "/action-items/", "list-checks", "t"),
            Entry("Postmortems", "/postmortems/", "notebook-pen", "w"),
            Entry("Analytics", "/incidents/analytics/", "chart-column", "y"),
            Entry("Chaos", "/chaos/", "flask-conical", "x"),
            Entry("Capacity", "/capacity/", "trending-up", "c"),
        ),
    ),
    Group(
        "Operate",
        (
            Entry("How I am reached", "/contact/", "smartphone", "m"),
            Entry("Integrations", "/integrations/", "plug", "p"),
            Entry("Status page", "/status/", "globe", "u"),
            Entry("SRE dashboard", "/sre/dashboard-ui", "gauge", "d"),
            Entry("API docs", "/api/docs/", "book-open", "r"),
            Entry("Admin", "/admin/", "settings", "", staff_only=True),
        ),
    ),
)

_COUNTS: dict[str, Count] = {}


def count(path: str, provider: Count) -> None:
    """Show a number beside the entry at `path`: `provider(user)`, nothing for None or 0.

    Called from an app's `AppConfig.ready()`. It runs on every page, so one indexed query at most.
    """
    _COUNTS[path] = provider


def exists(path: str) -> bool:
    """Return whether the portal answers at `path`."""
    return _resolves(path, get_urlconf() or settings.ROOT_URLCONF)


@lru_cache(maxsize=128)
def _resolves(path: str, urlconf: str) -> bool:
    try:
        resolve(path, urlconf)
    except Resolver404:
        return False
    return True


def address(path: str) -> str:
    """Return `path` below the prefix the portal is served under."""
    return get_script_prefix().rstrip("/") + path


def links(
    user: AbstractBaseUser | AnonymousUser, current_path: str
) -> list[tuple[str, list[Link]]]:
    """Return the groups one person sees, each as (heading, links); empty groups are left out."""
    staff = bool(getattr(user, "is_staff", False))
    shown, current = [], _current(current_path)
    for group in GROUPS:
        row = [
            Link(
                label=entry.label,
                href=address(entry.path),
                icon=entry.icon,
                key=entry.key,
                current=entry.path == current,
                count=_COUNTS[entry.path](user) if entry.path in _COUNTS else None,
            )
            for entry in group.entries
            if exists(entry.path) and (staff or not entry.staff_only)
        ]
        if row:
            shown.append((group.label, row))
    return shown


def _current(path: str) -> str | None:
    """Return the path of the entry that a page belongs to: the longest one there is that it lies below."""
    below = [
        entry.path
        for group in GROUPS
        for entry in group.entries
        if (path == entry.path or (entry.path != "/" and path.startswith(entry.path)))
        and exists(entry.path)
    ]
    return max(below, key=len, default=None)
