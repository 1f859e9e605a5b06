"""A shortcut: batches are taken before sessions, routes and the REST framework see the request.

Nothing is let in that the view would not let in: the host and the token are checked here, and
whatever is not kept goes the long way to `telemetry.api`, which checks again and words the refusal.
Without this middleware the view answers the same, only later (ADR 0008).
"""

from collections.abc import Callable
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse

from core.program_answers import HEADERS
from telemetry.domain.batches import FRESHNESS, REQUESTS, Kind
from telemetry.intake import OUTCOME, take
from telemetry.services.ingest import Answer

View = Callable[[HttpRequest], HttpResponse]

KINDS: dict[str, Kind[Any]] = {
    "/api/v1/telemetry/requests": REQUESTS,
    "/api/v1/telemetry/freshness": FRESHNESS,
}


class IngestMiddleware:
    """Answers batches that were not refused; notes on the request what became of the others."""

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        kind = KINDS.get(request.path_info)
        if kind is None or request.method != "POST":
            return self._get_response(request)
        outcome: Answer | Exception
        try:
            request.get_host()
            outcome = take(request, kind)
        except Exception as error:  # noqa: BLE001 raised again by the view, which words it
            outcome = error
        else:
            if not outcome.is_refusal:
                return _kept(outcome)
        setattr(request, OUTCOME, outcome)
        return self._get_response(request)


def _kept(answer: Answer) -> HttpResponse:
    body = msgspec.json.encode(answer.body())
    response = HttpResponse(body, content_type="application/json", headers=HEADERS)
    response["Content-Length"] = str(len(body))
    if answer.is_replay:
        response["Idempotency-Replayed"] = "true"
    return response
