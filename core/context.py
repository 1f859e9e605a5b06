"""What every template can use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from core import demo, nav
from core.middleware import current_request_id


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return the portal's own facts for `base.html`; what needs work or a query waits until it is used."""
    user = getattr(request, "user", None)
    return {
        "portal_embedded": settings.EMBEDDED,
        "portal_nav": lambda: nav.links(user, request.path_info) if user else [],
        "portal_search": nav.address("/services/") if nav.exists("/services/") else "",
        "demo_is_on": lambda: bool(user and user.is_authenticated and demo.is_on()),
        "demo_remove_url": nav.address("/demo/remove") if nav.exists("/demo/remove") else "",
        "account_links": _account_links,
        "current_request_id": current_request_id,
    }


def _account_links() -> list[nav.Link]:
    entries = (
        nav.Entry("Profile", "/accounts/", "user"),
        nav.Entry("API tokens", "/accounts/tokens/", "key-round"),
        nav.Entry("Sign-in security", "/accounts/2fa/", "shield-check"),
    )
    return [
        nav.Link(entry.label, nav.address(entry.path), entry.icon, "", current=False, count=None)
        for entry in entries
        if nav.exists(entry.path)
    ]
