"""What every template can use."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def portal(request: HttpRequest) -> dict[str, Any]:
    """Return the portal's own facts for `base.html`."""
    return {"portal_embedded": settings.EMBEDDED}
