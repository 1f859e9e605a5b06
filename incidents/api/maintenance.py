"""`/api/v1/maintenance/`: planned work, once or repeating; made by people and by deployments."""

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.roles import Role
from catalog.models import Service
from catalog.visible_services import VisibleServiceMixin
from core.api import StrictFieldsMixin
from core.clock import now
from incidents.models import Maintenance
from incidents.queries.silences import next_span
from incidents.services.maintenance import cancel_maintenance, plan


class MaintenanceSerializer(
    StrictFieldsMixin, VisibleServiceMixin, serializers.ModelSerializer[Maintenance]
):
    """Planned work on a service: nobody is called for it while it lasts."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())
    is_active = serializers.SerializerMethodField(help_text="Whether it goes on now.")
    next_starts_at = serializers.SerializerMethodField(
        help_text="Beginning of what goes on, else of what comes next; null when nothing does."
    )

    class Meta:
        model = Maintenance
        fields = [
            "id",
            "service",
            "starts_at",
            "ends_at",
            "rule",
            "timezone",
            "comment",
            "excludes_budget",
            "is_active",
            "next_starts_at",
            "created_by",
            "created_at",
            "cancelled_at",
        ]
        read_only_fields = ["created_by", "created_at", "cancelled_at"]

    def get_is_active(self, row: Maintenance) -> bool:
        """Return whether an occurrence goes on."""
        span = next_span(row, now=now())
        return span is not None and span[0] <= now()

    def get_next_starts_at(self, row: Maintenance) -> datetime | None:
        """Return when the occurrence begins that goes on or comes next."""
        span = next_span(row, now=now())
        return span[0] if span else None

    def create(self, validated_data: dict[str, Any]) -> Maintenance:
        """Create through the service."""
        return plan(fields=validated_data, actor=acting(self.context["request"]), now=now())


class MaintenanceViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Maintenance],
):
    """Planned work; called off, never changed and never deleted."""

    queryset = Maintenance.objects.none()
    serializer_class = MaintenanceSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    search_fields = ["comment"]

    def get_queryset(self) -> QuerySet[Maintenance]:
        """Only of services the caller may know of."""
        rows = Maintenance.objects.visible_to(signed_in(self.request))
        return rows.select_related("service").with_early_ends()

    @extend_schema(request=None, responses=MaintenanceSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Call it off: what is silent ends now, nothing follows."""
        row = cancel_maintenance(self.get_object(), actor=acting(request), now=now())
        return Response(self.get_serializer(row).data)
