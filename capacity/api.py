"""`/api/v1/capacity-reports/`."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.routers import SimpleRouter

from accounts.access import signed_in
from accounts.roles import Role
from capacity.models import VERDICTS, CapacityReport
from catalog.models import Service
from core.listing import InstantFilter

__all__ = ["CapacityReportViewSet", "register"]


class CapacityReportSerializer(serializers.ModelSerializer[CapacityReport]):
    """One reading of one service: fractions, milliseconds and counts; null is no data."""

    service: serializers.SlugRelatedField[Service] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True
    )
    recommendations = serializers.ListField(child=serializers.DictField(), read_only=True)
    # REST framework's metaclass takes fields off the class: `Serializer.errors` is as it was.
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.CharField(), read_only=True
    )

    class Meta:
        model = CapacityReport
        fields = [
            "id",
            "service",
            "read_at",
            "window_start",
            "window_end",
            "cpu",
            "cpu_max",
            "cpu_recent",
            "memory",
            "memory_max",
            "memory_recent",
            "connections",
            "connections_in_use",
            "connections_limit",
            "p95_ms",
            "tasks_running",
            "tasks_desired",
            "status",
            "recommendations",
            "errors",
        ]
        read_only_fields = fields


class CapacityReportFilter(django_filters.FilterSet):
    """`?service=users-api&status=degraded&read_after=…&read_before=…`."""

    status = django_filters.MultipleChoiceFilter(choices=VERDICTS)
    read_after = InstantFilter(field_name="read_at", lookup_expr="gte")
    read_before = InstantFilter(field_name="read_at", lookup_expr="lt")

    class Meta:
        model = CapacityReport
        fields = ["status", "read_after", "read_before"]


@extend_schema_view(
    list=extend_schema(summary="List capacity reports"),
    retrieve=extend_schema(summary="Read a capacity report"),
)
class CapacityReportViewSet(viewsets.ReadOnlyModelViewSet[CapacityReport]):
    """Read what AWS said; the portal asks by itself every five minutes."""

    queryset = CapacityReport.objects.none()
    serializer_class = CapacityReportSerializer
    filterset_class = CapacityReportFilter
    search_fields = ("service__slug", "service__name")
    ordering = "-read_at"
    ordering_fields = ("read_at", "status", "id")
    read_role = Role.VIEWER

    def get_queryset(self) -> QuerySet[CapacityReport]:
        """Only of services the caller may know of."""
        user = signed_in(self.request)
        return CapacityReport.objects.visible_to(user).select_related("service")


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("capacity-reports", CapacityReportViewSet, basename="capacity-report")
