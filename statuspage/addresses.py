"""Where the public page is: the portal's own, or a copy elsewhere that stays up without it."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse

__all__ = ["CSS", "Addresses", "live", "of_copy", "public_address", "public_host"]

CSS = ("css/tokens.css", "css/status.css")


@dataclass(frozen=True)
class Addresses:
    """How the pages link to each other.

    Args:
        root: What leads to the page itself; ends with a slash.
        index: Name of a folder's page where it must be said, as in a copy that is read from files.
        css: Style sheets.
        subscribe: Form that only the portal itself can answer.
    """

    root: str
    index: str
    css: tuple[str, ...]
    subscribe: str


def live() -> Addresses:
    """Return those of the portal's own pages."""
    css = tuple(static(name) for name in CSS)
    return Addresses(reverse("status:page"), "", css, reverse("status:subscribe"))


def of_copy(depth: int) -> Addresses:
    """Return those of a copy, relative, as seen from a page `depth` folders below its root."""
    root = "../" * depth or "./"
    css = tuple(f"{root}{name}" for name in CSS)
    return Addresses(root, "index.html", css, f"{settings.PORTAL_URL}{reverse('status:subscribe')}")


def public_address(path: str = "") -> str:
    """Return the address that outsiders are given, of the page or of a path below it."""
    own = f"{settings.PORTAL_URL}{reverse('status:page')}"
    return f"{(settings.STATUSPAGE_URL or own).rstrip('/')}/{path}"


def public_host() -> str:
    """Return the host name of that address."""
    return urlsplit(public_address()).hostname or "localhost"
