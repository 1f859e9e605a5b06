"""`GET /api/v1/services/<slug>/metrics/`: which counters and gauges a service reports."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from telemetry import metric_queries


class KnownMetricSerializer(serializers.Serializer[Any]):
    """A metric that a selector can name."""

    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["counter", "gauge"])
    series = serializers.IntegerField(help_text="How many attribute sets it has.")
    attributes = serializers.ListField(
        child=serializers.CharField(), help_text="Keys of its attributes."
    )


class MetricsView(APIView):
    """Counters and gauges of one service, as they came in by OTLP."""

    read_role = Role.VIEWER

    @extend_schema(
        operation_id="service_metrics",
        tags=["services"],
        responses={200: KnownMetricSerializer(many=True)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the metrics of a service by name, for the queries of its SLIs."""
        visible = Service.objects.visible_to(signed_in(request))
        service = visible.filter(slug=slug).first()
        if service is None:
            raise Http404
        found = metric_queries.known_metrics(service.pk)
        return Response(KnownMetricSerializer([one._asdict() for one in found], many=True).data)
