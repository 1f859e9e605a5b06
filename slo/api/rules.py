"""`/api/v1/threshold-rules/`."""

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers, viewsets

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from slo.api.fields import VisibleOnlyMixin
from slo.models import ThresholdRule
from slo.services import rules


class ThresholdRuleSerializer(
    StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[ThresholdRule]
):
    """A figure and the threshold beyond which it raises an alert."""

    service = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=Service.objects.all(),
        allow_null=True,
        required=False,
        help_text="Only this service; null watches every one.",
    )

    class Meta:
        model = ThresholdRule
        fields = [
            "slug",
            "name",
            "metric",
            "comparison",
            "threshold",
            "window_minutes",
            "minimum_events",
            "error_from",
            "severity",
            "service",
            "is_enabled",
        ]

    def create(self, validated_data: dict[str, Any]) -> ThresholdRule:
        """Create through the service, which writes the audit."""
        return self._save(ThresholdRule(), validated_data)

    def update(self, instance: ThresholdRule, validated_data: dict[str, Any]) -> ThresholdRule:
        """Change through the service, which writes the audit."""
        return self._save(instance, validated_data)

    def _save(self, rule: ThresholdRule, fields: dict[str, Any]) -> ThresholdRule:
        actor = self.context["request"].user
        return rules.save_rule(rule, actor=actor, now=now(), fields=fields)


class ThresholdRuleViewSet(viewsets.ModelViewSet[ThresholdRule]):
    """Thresholds beyond which a figure raises an alert."""

    queryset = ThresholdRule.objects.none()
    serializer_class = ThresholdRuleSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "name"]

    def get_queryset(self) -> QuerySet[ThresholdRule]:
        """Rules of all services, and of those the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        rows = ThresholdRule.objects.select_related("service")
        return rows.filter(Q(service=None) | Q(service__in=visible))

    def perform_destroy(self, instance: ThresholdRule) -> None:
        """Delete through the service, which writes the audit."""
        rules.delete_rule(instance, actor=signed_in(self.request), now=now())
