"""What answers to programs have in common, where they take a shortcut past the framework."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse

__all__ = ["HEADERS", "json_answer"]

# Such an answer has nothing to load and belongs in no frame.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


def json_answer(
    body: Mapping[str, Any], *, status: int, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return what Django's `JsonResponse` does, of values that JSON knows, at half its price."""
    said = json.dumps(body).encode()
    return HttpResponse(said, content_type="application/json", status=status, headers=headers)
