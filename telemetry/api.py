"""`POST /api/v1/telemetry/requests` and `/freshness`."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import TokenAuthentication
from core.problems import CONTENT_TYPE, problem
from telemetry.domain.batches import FRESHNESS, REQUESTS, Kind, Rejection
from telemetry.intake import OUTCOME, take
from telemetry.services.ingest import Answer

MAX_NAMED = 20
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Up to 200 printable characters. The same body sent again under it is answered "
    "alike and not counted twice; kept for 48 hours.",
)


class RejectionSerializer(serializers.Serializer[Any]):
    """One element that was not kept."""

    index = serializers.IntegerField(help_text="Position in the array, from 0.")
    field = serializers.CharField(help_text="Which field is wrong; empty for the element itself.")
    error = serializers.CharField()


class AnswerSerializer(serializers.Serializer[Any]):
    """What became of a batch."""

    accepted = serializers.IntegerField(help_text="Elements kept.")
    rejected = RejectionSerializer(many=True, help_text="The first 1,000 that were not.")
    rejected_count = serializers.IntegerField(help_text="How many were not kept in all.")


class RequestEventSerializer(serializers.Serializer[Any]):
    """One answered request."""

    service = serializers.CharField(help_text="Slug of the service.")
    endpoint = serializers.CharField(max_length=200, help_text="Route, e.g. /users/:id.")
    status = serializers.IntegerField(min_value=100, max_value=599)
    duration_ms = serializers.FloatField(min_value=0, max_value=86_400_000)
    timestamp = serializers.CharField(
        required=False, help_text="RFC 3339 with a zone, or seconds since 1970; left out: now."
    )
    method = serializers.CharField(required=False)


class FreshnessEventSerializer(serializers.Serializer[Any]):
    """How old the data of one source was."""

    service = serializers.CharField(help_text="Slug of the service.")
    source = serializers.CharField(max_length=200)  # type: ignore[assignment]
    age_s = serializers.FloatField(min_value=0)
    timestamp = serializers.CharField(
        required=False, help_text="RFC 3339 with a zone, or seconds since 1970; left out: now."
    )


class JsonAlways(DefaultContentNegotiation):
    """Senders of telemetry read JSON or nothing; their `Accept` header is not asked."""

    def select_renderer(self, _request: Request, renderers: Any, _suffix: str | None = None) -> Any:
        """Return the first renderer and its type."""
        return renderers[0], renderers[0].media_type


class IngestView(APIView):
    """Answers batches; for most of them `telemetry.middleware` did so before, and only sooner."""

    authentication_classes = [TokenAuthentication]
    content_negotiation_class = JsonAlways
    write_scope = "ingest"
    kind: Kind[Any]

    def answer(self, request: Request) -> Response:
        """Say what became of the batch, which the middleware may have found out already."""
        outcome = getattr(request._request, OUTCOME, None)
        if outcome is None:
            outcome = take(request._request, self.kind)
        if isinstance(outcome, Exception):
            raise outcome
        if outcome.is_refusal:
            return _refused(outcome)
        headers = {"Idempotency-Replayed": "true"} if outcome.is_replay else {}
        return Response(outcome.body(), headers=headers)


class RequestsView(IngestView):
    """Answered requests of services."""

    kind = REQUESTS

    @extend_schema(
        operation_id="telemetry_requests",
        tags=["telemetry"],
        parameters=[KEY],
        request=RequestEventSerializer(many=True),
        responses={200: AnswerSerializer},
        examples=[
            OpenApiExample(
                "One request",
                value=[
                    {"service": "users-api", "endpoint": "/users", "status": 200, "duration_ms": 12}
                ],
                request_only=True,
                media_type="application/json",
            )
        ],
    )
    def post(self, request: Request) -> Response:
        """Send requests: raw events, or one report that is already counted per minute.

        Up to 10 MB, gzip or plain; NDJSON as application/x-ndjson. The valid elements of a batch
        are kept; the others are listed.
        """
        return self.answer(request)


class FreshnessView(IngestView):
    """Freshness reports of services."""

    kind = FRESHNESS

    @extend_schema(
        operation_id="telemetry_freshness",
        tags=["telemetry"],
        parameters=[KEY],
        request=FreshnessEventSerializer(many=True),
        responses={200: AnswerSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send how old data was, per service and source."""
        return self.answer(request)


def _refused(answer: Answer) -> Response:
    code = status.HTTP_404_NOT_FOUND if answer.is_unknown_service else status.HTTP_400_BAD_REQUEST
    errors: dict[str, list[str]] = {}
    for item in answer.rejected[:MAX_NAMED]:
        errors.setdefault(_path(item), []).append(item.error)
    first = answer.rejected[0]
    body = problem(
        code,
        f"Nothing was kept. {_path(first)}: {first.error}",
        code="not_found" if answer.is_unknown_service else "invalid",
        errors=errors,
    )
    return Response(body | answer.body(), code, content_type=CONTENT_TYPE)


def _path(item: Rejection) -> str:
    is_of_a_list = "[" in item.field
    return item.field if is_of_a_list else f"[{item.index}].{item.field}".rstrip(".")
