"""`POST /v1/metrics`: OTLP/HTTP, answered in OTLP's own shapes."""

from typing import Any, cast

from django.http import HttpResponse, HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import TokenAuthentication
from telemetry.api import JsonAlways
from telemetry.domain.otlp import messages
from telemetry.http_body import JSON_TYPE
from telemetry.intake import OUTCOME, PROTOBUF_TYPE, take_metrics

_STATUS = OpenApiResponse(
    OpenApiTypes.OBJECT, description="A google.rpc.Status in the encoding of the request."
)
_EXAMPLE = {
    "resourceMetrics": [
        {
            "resource": {
                "attributes": [{"key": "service.name", "value": {"stringValue": "users-api"}}]
            },
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "jobs.done",
                            "sum": {
                                "aggregationTemporality": 1,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {"asInt": "3", "timeUnixNano": "1795341600000000000"}
                                ],
                            },
                        }
                    ]
                }
            ],
        }
    ]
}


class ExportView(APIView):
    """Answers what OpenTelemetry SDKs and collectors export, mostly after `telemetry.middleware`."""

    authentication_classes = [TokenAuthentication]
    content_negotiation_class = JsonAlways
    write_scope = "ingest"

    @extend_schema(
        operation_id="otlp_metrics",
        tags=["telemetry"],
        request={PROTOBUF_TYPE: OpenApiTypes.BINARY, JSON_TYPE: OpenApiTypes.OBJECT},
        responses={
            (200, JSON_TYPE): OpenApiResponse(
                OpenApiTypes.OBJECT, description="An ExportMetricsServiceResponse."
            ),
            (400, JSON_TYPE): _STATUS,
            (401, JSON_TYPE): _STATUS,
            (403, JSON_TYPE): _STATUS,
            (413, JSON_TYPE): _STATUS,
            (415, JSON_TYPE): _STATUS,
            (503, JSON_TYPE): _STATUS,
        },
        examples=[
            OpenApiExample("One counter", value=_EXAMPLE, request_only=True, media_type=JSON_TYPE)
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Send metrics by OTLP/HTTP, protobuf or JSON, gzip or plain, up to 10 MB.

        Answered after the commit. Points that are not kept are counted in `partial_success`.
        """
        outcome = getattr(request._request, OUTCOME, None) or take_metrics(request._request)
        if isinstance(outcome, Exception):
            raise outcome
        return HttpResponse(outcome.body, outcome.content_type)

    def handle_exception(self, exc: Exception) -> Response:
        """Say what any API view says in such a case, as google.rpc.Status."""
        problem = super().handle_exception(exc)
        as_json = not _is_protobuf(self.request)
        text = _sentence(cast("dict[str, Any]", problem.data))
        status = messages.status(problem.status_code, text, as_json=as_json)
        kind = JSON_TYPE if as_json else PROTOBUF_TYPE
        answer = HttpResponse(status, kind, problem.status_code)
        for name, value in problem.headers.items():
            if name in {"Retry-After", "WWW-Authenticate", "Allow"}:
                answer.headers[name] = value
        # The framework finishes plain responses alike; its stubs do not know.
        return cast("Response", answer)


def _is_protobuf(request: Request) -> bool:
    given: str = request._request.content_type or ""
    return given.lower() == PROTOBUF_TYPE


def _sentence(problem: dict[str, Any]) -> str:
    """Return a problem document as one sentence that names the first field it is about."""
    detail = str(problem["detail"])
    field = next(iter(problem.get("errors", {})), "")
    return detail if not field or detail.startswith(field) else f"{field}: {detail}"
