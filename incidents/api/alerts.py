"""`/api/v1/alerts/`."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from incidents.api.receipts import ReceiptSerializer
from incidents.models import Alert, AlertLogEntry
from incidents.queries.alert_receipts import receipt_of_alert


class AlertLogSerializer(serializers.ModelSerializer[AlertLogEntry]):
    """One thing that happened to an alert."""

    class Meta:
        model = AlertLogEntry
        fields = ["at", "kind", "actor", "text", "facts"]
        read_only_fields = fields


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """One condition, from when it began to hold until it ended."""

    service: serializers.SlugRelatedField[Service] = serializers.SlugRelatedField(
        slug_field="slug", read_only=True, allow_null=True
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "source",
            "integration",
            "incident",
            "silenced_by",
            "dedup_key",
            "service",
            "severity",
            "title",
            "detail",
            "url",
            "runbook_url",
            "labels",
            "pages",
            "facts",
            "state",
            "count",
            "opened_at",
            "last_seen_at",
            "resolved_at",
            "acknowledged_at",
            "acknowledged_by",
        ]
        read_only_fields = fields


class AlertViewSet(viewsets.ReadOnlyModelViewSet[Alert]):
    """Read alerts; they open and resolve through the intake."""

    queryset = Alert.objects.none()
    serializer_class = AlertSerializer
    read_role = Role.VIEWER
    search_fields = ["title", "detail"]
    ordering_fields = ["opened_at", "id"]  # of very many rows, only by what has an index

    def get_queryset(self) -> QuerySet[Alert]:
        """Only of services the caller may know of."""
        return Alert.objects.visible_to(signed_in(self.request)).select_related("service")

    @extend_schema(responses=AlertLogSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def log(self, request: Request, pk: str | None = None) -> Response:
        """Read what happened to it, oldest first; of very many entries the newest thousand."""
        newest = self.get_object().log.order_by("-at", "-pk")[:1000]
        return Response(AlertLogSerializer([*reversed(newest)], many=True).data)

    @extend_schema(responses=ReceiptSerializer, filters=False)
    @action(detail=True)
    def receipt(self, request: Request, pk: str | None = None) -> Response:
        """Read why it called somebody, or nobody: each rule with its verdict."""
        return Response(
            ReceiptSerializer(receipt_of_alert(self.get_object(), signed_in(request))).data
        )
