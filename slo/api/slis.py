"""`/api/v1/slis/`."""

from typing import Any

from django.db import transaction
from django.db.models import ProtectedError, QuerySet
from rest_framework import serializers, viewsets

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import Conflict
from slo.api.fields import VisibleOnlyMixin
from slo.models import Sli, Slo, Source
from slo.services import composites, objectives


class MemberSerializer(StrictFieldsMixin, VisibleOnlyMixin, serializers.Serializer[Any]):
    """An objective that a composite is made of."""

    slo = serializers.SlugRelatedField(slug_field="slug", queryset=Slo.objects.all())
    weight = serializers.IntegerField(min_value=1, max_value=composites.MOST_WEIGHT, default=1)


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
    members = MemberSerializer(
        many=True, required=False, help_text="Composite: the objectives it is the weighted mean of."
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
            "members",
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
            if name != "members":
                setattr(draft, name, value)
        draft.clean()
        if draft.kind == Sli.Kind.COMPOSITE and self.instance is None:
            attrs.setdefault("members", [])
        return attrs

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Sli:
        """Create through the service, which gives it a column."""
        members = validated_data.pop("members", None)
        made = objectives.create_sli(
            actor=self.context["request"].user, now=now(), **validated_data
        )
        return self._with_members(made, members)

    @transaction.atomic
    def update(self, instance: Sli, validated_data: dict[str, Any]) -> Sli:
        """Change through the service, which writes the audit."""
        members = validated_data.pop("members", None)
        changed = objectives.change_sli(
            sli=instance, actor=self.context["request"].user, now=now(), fields=validated_data
        )
        return self._with_members(changed, members)

    def _with_members(self, sli: Sli, members: list[dict[str, Any]] | None) -> Sli:
        if members is not None:
            weighted = {member["slo"]: member["weight"] for member in members}
            if len(weighted) < len(members):
                raise serializers.ValidationError({"members": ["Name each objective once."]})
            actor = self.context["request"].user
            composites.set_members(sli, weighted, actor=actor, now=now())
        return sli


class SliViewSet(viewsets.ModelViewSet[Sli]):
    """What is counted."""

    queryset = Sli.objects.none()
    serializer_class = SliSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "description"]

    def get_queryset(self) -> QuerySet[Sli]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        return (
            Sli.objects.filter(service__in=visible)
            .select_related("service", "source")
            .prefetch_related("members__slo")
        )

    def perform_destroy(self, instance: Sli) -> None:
        """Refuse while an SLO needs it."""
        try:
            objectives.delete_sli(sli=instance, actor=signed_in(self.request), now=now())
        except ProtectedError as error:
            raise Conflict("An SLO uses this SLI; delete the SLO first.", field="slug") from error
