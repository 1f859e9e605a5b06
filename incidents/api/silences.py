"""`/api/v1/silences/`: who is not called for what, until when, and why."""

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
from core.api import ChoiceField, StrictFieldsMixin
from core.clock import now
from incidents.models import Silence
from incidents.services.silences import end_silence, save_silence


class MatcherSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """One condition on a label, `title`, `severity` or `source`."""

    name = serializers.CharField(max_length=200)
    op = ChoiceField(choices=["=", "!=", "=~", "!~"])
    value = serializers.CharField(max_length=500, allow_blank=True, trim_whitespace=False)


class SilenceSerializer(
    StrictFieldsMixin, VisibleServiceMixin, serializers.ModelSerializer[Silence]
):
    """Nobody is called for what matches."""

    service = serializers.SlugRelatedField(
        slug_field="slug", queryset=Service.objects.all(), required=False, allow_null=True
    )
    matchers = MatcherSerializer(many=True, required=False)

    class Meta:
        model = Silence
        fields = [
            "id",
            "service",
            "matchers",
            "starts_at",
            "ends_at",
            "comment",
            "is_maintenance",
            "created_by",
            "created_at",
        ]
        read_only_fields = ["created_by", "created_at"]

    def create(self, validated_data: dict[str, Any]) -> Silence:
        """Create through the service."""
        return self._save(Silence(), validated_data)

    def update(self, instance: Silence, validated_data: dict[str, Any]) -> Silence:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, silence: Silence, fields: dict[str, Any]) -> Silence:
        if "matchers" in fields:
            fields["matchers"] = [dict(matcher) for matcher in fields["matchers"]]
        actor = acting(self.context["request"])
        return save_silence(silence, fields=fields, actor=actor, now=now())


class SilenceViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Silence],
):
    """Who is not called for what; ended early, never deleted."""

    queryset = Silence.objects.none()
    serializer_class = SilenceSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    search_fields = ["comment", "matcher_words"]

    def get_queryset(self) -> QuerySet[Silence]:
        """Only of services the caller may know of."""
        rows = Silence.objects.visible_to(signed_in(self.request)).select_related("service")
        return rows.with_matcher_words()

    @extend_schema(request=None, responses=SilenceSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str | None = None) -> Response:
        """End it now; people are called for what still fires."""
        silence = end_silence(self.get_object(), actor=acting(request), now=now())
        return Response(self.get_serializer(silence).data)
