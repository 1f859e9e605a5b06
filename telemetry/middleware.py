"""A shortcut: telemetry is taken before sessions, routes and the REST framework see the request.

Nothing is let in that the views would not let in: the host and the token are checked here, and
whatever is not kept goes the long way to the view of its address, which checks again and words the
refusal.
Without this middleware the view answers the same, only later (ADR 0008).
"""

from collections.abc import Callable
from functools import partial

import msgspec
from django.http import HttpRequest, HttpResponse

from core.program_answers import HEADERS
from telemetry.domain.batches import FRESHNESS, REQUESTS
from telemetry.http_body import JSON_TYPE
from telemetry.intake import OUTCOME, ExportAnswer, take, take_metrics
from telemetry.services.ingest import Answer

View = Callable[[HttpRequest], HttpResponse]

WAYS: dict[str, Callable[[HttpRequest], Answer | ExportAnswer]] = {
    "/api/v1/telemetry/requests": partial(take, kind=REQUESTS),
    "/api/v1/telemetry/freshness": partial(take, kind=FRESHNESS),
    "/v1/metrics": take_metrics,
}


class IngestMiddleware:
    """Answers what was not refused; notes on the request what became of the rest."""

    def __init__(self, get_response: View) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        take_it = WAYS.get(request.path_info)
        if take_it is None or request.method != "POST":
            return self._get_response(request)
        outcome: Answer | ExportAnswer | Exception
        try:
            request.get_host()
            outcome = take_it(request)
        except Exception as error:  # noqa: BLE001 raised again by the view, which words it
            outcome = error
        else:
            if isinstance(outcome, ExportAnswer):
                return _response(outcome.body, outcome.content_type)
            if not outcome.is_refusal:
                return _kept(outcome)
        setattr(request, OUTCOME, outcome)
        return self._get_response(request)


def _kept(answer: Answer) -> HttpResponse:
    response = _response(msgspec.json.encode(answer.body()), JSON_TYPE)
    if answer.is_replay:
        response["Idempotency-Replayed"] = "true"
    return response


def _response(body: bytes, content_type: str) -> HttpResponse:
    response = HttpResponse(body, content_type=content_type, headers=HEADERS)
    response["Content-Length"] = str(len(body))
    return response
