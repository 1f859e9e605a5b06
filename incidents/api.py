"""`/api/v1/alerts/`."""

from django.db.models import QuerySet
from rest_framework import serializers, viewsets
from rest_framework.routers import SimpleRouter

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from incidents.models import Alert


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One condition, from when it began to hold until it ended."""

    service: serializers.SlugRelatedField[Service] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "source",
            "dedup_key",
            "service",
            "severity",
            "title",
            "detail",
            "url",
            "facts",
            "state",
            "count",
            "opened_at",
            "last_seen_at",
            "resolved_at",
        ]
        read_only_fields = fields


class AlertViewSet(viewsets.ReadOnlyModelViewSet[Alert]):
    """Read alerts; they open and resolve through the intake."""

    queryset = Alert.objects.none()
    serializer_class = AlertSerializer
    read_role = Role.VIEWER
    filterset_fields = ["state", "severity", "source", "service__slug"]
    search_fields = ["title", "detail"]

    def get_queryset(self) -> QuerySet[Alert]:
        """Only of services the caller may know of."""
        return Alert.objects.visible_to(signed_in(self.request)).select_related("service")


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("alerts", AlertViewSet, basename="alert")
