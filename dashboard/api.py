"""The operations guide's JSON addresses, as `docs/api.md` prints them."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import signed_in
from core.clock import now
from dashboard import health, metrics, queries


class DashboardSerializer(serializers.Serializer[Any]):
    """Everything at a glance: fractions, never percent; null is no data."""

    generated_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=["healthy", "degraded", "critical", "unknown"])
    stale_since = serializers.DateTimeField(allow_null=True)
    slos = serializers.ListField(child=serializers.DictField())
    alerts = serializers.ListField(child=serializers.DictField())
    incidents = serializers.ListField(child=serializers.DictField())
    circuit_breakers = serializers.ListField(child=serializers.DictField())
    capacity = serializers.ListField(child=serializers.DictField())


class AlertsSerializer(serializers.Serializer[Any]):
    """Alerts that are firing now."""

    count = serializers.IntegerField()
    alerts = serializers.ListField(child=serializers.DictField())


class BreakersSerializer(serializers.Serializer[Any]):
    """Circuit breakers of every reporting process."""

    open = serializers.IntegerField()
    circuit_breakers = serializers.ListField(child=serializers.DictField())


class HealthSerializer(serializers.Serializer[Any]):
    """State of the portal and what it watches."""

    status = serializers.ChoiceField(choices=["healthy", "degraded", "critical", "unknown"])
    generated_at = serializers.DateTimeField()
    components = serializers.DictField()


class CapacitySerializer(serializers.Serializer[Any]):
    """How much of what each service has is used."""

    services = serializers.ListField(child=serializers.DictField())


class DashboardView(APIView):
    """`GET /sre/dashboard`"""

    @extend_schema(operation_id="sre_dashboard", responses=DashboardSerializer)
    def get(self, request: Request) -> Response:
        """Return objectives, alerts, incidents, breakers and capacity in one document."""
        at, user = now(), signed_in(request)
        slos, alerts = queries.objectives(user), queries.firing_alerts(user)
        incidents = queries.open_incidents(user)
        fresh = queries.freshness(now=at)
        return Response(
            {
                "generated_at": queries.iso(at),
                "status": queries.overall(slos, alerts, incidents, fresh),
                "stale_since": queries.iso(fresh.stale_since),
                "slos": [queries.objective_json(slo) for slo in slos],
                "alerts": [queries.alert_json(alert) for alert in alerts],
                "incidents": [queries.incident_json(incident) for incident in incidents],
                "circuit_breakers": queries.breakers(user, now=at),
                "capacity": queries.capacity(user, now=at),
            }
        )


class AlertsView(APIView):
    """`GET /sre/alerts`"""

    @extend_schema(operation_id="sre_alerts", responses=AlertsSerializer)
    def get(self, request: Request) -> Response:
        """Return the alerts that are firing now, the worst first."""
        firing = queries.firing_alerts(signed_in(request))
        alerts = [queries.alert_json(alert) for alert in firing]
        return Response({"count": len(alerts), "alerts": alerts})


class BreakersView(APIView):
    """`GET /sre/circuit-breakers`"""

    @extend_schema(operation_id="sre_circuit_breakers", responses=BreakersSerializer)
    def get(self, request: Request) -> Response:
        """Return every circuit breaker and how many are open."""
        breakers = queries.breakers(signed_in(request), now=now())
        is_open = [row for row in breakers if row["state"] in health.OPEN_BREAKERS]
        return Response({"open": len(is_open), "circuit_breakers": breakers})


class CapacityView(APIView):
    """`GET /sre/capacity`"""

    @extend_schema(operation_id="sre_capacity", responses=CapacitySerializer)
    def get(self, request: Request) -> Response:
        """Return utilisation, p95 and recommendations per service."""
        return Response({"services": queries.capacity(signed_in(request), now=now())})


class HealthView(APIView):
    """`GET /sre/health`"""

    @extend_schema(
        operation_id="sre_health",
        responses={200: HealthSerializer, 503: OpenApiResponse(HealthSerializer)},
    )
    def get(self, request: Request) -> Response:
        """Return the state of each component; 503 when the whole is critical."""
        body = health.report(signed_in(request), now=now())
        return Response(body, status=503 if body["status"] == "critical" else 200)


class MetricsView(APIView):
    """`GET /sre/metrics`"""

    @extend_schema(
        operation_id="sre_metrics",
        parameters=[
            OpenApiParameter(
                "format", str, enum=["prometheus", "json"], description="Default: text"
            )
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR, (200, "application/json"): dict},
    )
    def get(self, request: Request) -> HttpResponse:
        """Return figures as Prometheus text, or JSON when `Accept` or `?format=json` asks for it."""
        user = signed_in(request)
        slos = queries.objectives(user)
        collector = metrics.PortalCollector(
            slos,
            queries.counted_ever(slos),
            queries.firing_alerts(user),
            queries.open_incidents(user),
            queries.breakers(user, now=now()),
        )
        if wants_json(request):
            return Response({"metrics": metrics.as_json(collector)})
        return HttpResponse(
            metrics.exposition(collector), content_type="text/plain; version=0.0.4; charset=utf-8"
        )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Never refuse: scrapers ask for OpenMetrics types that the text format answers."""
        renderer = self.get_renderers()[0]
        return renderer, renderer.media_type


def wants_json(request: Request) -> bool:
    """Return whether JSON is asked for, by `?format=json` or by `Accept` before plain text."""
    chosen = request.query_params.get("format")
    if chosen:
        return chosen == "json"
    accept = request.headers.get("Accept", "")
    return "application/json" in accept and "text/plain" not in accept
