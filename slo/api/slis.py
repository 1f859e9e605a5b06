"""`/api/v1/slis/`."""

from typing import Any

from django.db.models import ProtectedError, QuerySet
from rest_framework import serializers, viewsets

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import Conflict
from slo.api.fields import VisibleOnlyMixin
from slo.models import Sli, Source
from slo.services import objectives


class SliSerializer(StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[Sli]):
    """What is counted."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())
    source = serializers.SlugRelatedField(  # type: ignore[assignment]  # DRF has such an attribute
        slug_field="slug",
        queryset=Source.objects.all(),
        allow_null=True,
        required=False,
        help_text="Asked for the counts; null counts the portal's own telemetry.",
    )
    excluded_statuses = serializers.ListField(
        child=serializers.IntegerField(min_value=100, max_value=599), required=False
    )

    class Meta:
        model = Sli
        fields = [
            "slug",
            "service",
            "kind",
            "description",
            "source",
            "good_query",
            "bad_query",
            "total_query",
            "value_query",
            "comparison",
            "comparison_value",
            "slice_target",
            "probe_url",
            "probe_every_s",
            "probe_timeout_ms",
            "probe_statuses",
            "probe_body",
            "endpoint",
            "error_from",
            "excluded_statuses",
            "threshold_ms",
            "only_successful",
            "freshness_source",
            "threshold_s",
            "silence_grace_s",
            "data_since",
        ]
        read_only_fields = ["data_since"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what spans fields by the model's own rules."""
        draft = Sli(slot=0)
        for field in Sli._meta.fields:
            if self.instance is not None:
                setattr(draft, field.attname, getattr(self.instance, field.attname))
        for name, value in attrs.items():
            setattr(draft, name, value)
        draft.clean()
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Sli:
        """Create through the service, which gives it a column."""
        return objectives.create_sli(
            actor=self.context["request"].user, now=now(), **validated_data
        )

    def update(self, instance: Sli, validated_data: dict[str, Any]) -> Sli:
        """Change through the service, which writes the audit."""
        return objectives.change_sli(
            sli=instance, actor=self.context["request"].user, now=now(), fields=validated_data
        )


class SliViewSet(viewsets.ModelViewSet[Sli]):
    """What is counted."""

    queryset = Sli.objects.none()
    serializer_class = SliSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    filterset_fields = ["kind", "service__slug", "source__slug"]
    search_fields = ["slug", "description"]

    def get_queryset(self) -> QuerySet[Sli]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        return Sli.objects.filter(service__in=visible).select_related("service", "source")

    def perform_destroy(self, instance: Sli) -> None:
        """Refuse while an SLO needs it."""
        try:
            objectives.delete_sli(sli=instance, actor=signed_in(self.request), now=now())
        except ProtectedError as error:
            raise Conflict("An SLO uses this SLI; delete the SLO first.", field="slug") from error
