"""`/api/v1/communication-templates/`: what drafts of updates begin with."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from incidents.domain.communication import DEFAULTS
from incidents.models import CommunicationTemplate
from incidents.models.communication import AUDIENCES, KINDS
from incidents.services.communication_templates import delete_template, save_template


class CommunicationTemplateSerializer(
    StrictFieldsMixin, serializers.ModelSerializer[CommunicationTemplate]
):
    """What a draft begins with."""

    class Meta:
        model = CommunicationTemplate
        fields = ["id", "kind", "audience", "name", "text", "created_at", "updated_at"]
        read_only_fields = ["created_at", "updated_at"]

    def create(self, validated_data: dict[str, Any]) -> CommunicationTemplate:
        """Create through the service."""
        return self._save(CommunicationTemplate(), validated_data)

    def update(
        self, instance: CommunicationTemplate, validated_data: dict[str, Any]
    ) -> CommunicationTemplate:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, row: CommunicationTemplate, fields: dict[str, Any]) -> CommunicationTemplate:
        actor = acting(self.context["request"])
        return save_template(row, fields=fields, actor=actor, now=now())


class BuiltInTemplateSerializer(serializers.Serializer[Any]):
    """What holds where there is no template of its sort."""

    kind = serializers.ChoiceField(choices=KINDS, read_only=True)
    audience = serializers.ChoiceField(choices=AUDIENCES, read_only=True)
    text = serializers.CharField(read_only=True)


class CommunicationTemplateViewSet(viewsets.ModelViewSet[CommunicationTemplate]):
    """What drafts of updates begin with; for a kind and an audience without one, the built-in one holds."""

    queryset = CommunicationTemplate.objects.all()
    serializer_class = CommunicationTemplateSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["name", "text"]

    def perform_destroy(self, instance: CommunicationTemplate) -> None:
        """Delete through the service."""
        delete_template(instance, actor=acting(self.request), now=now())

    @extend_schema(responses=BuiltInTemplateSerializer(many=True), filters=False)
    @action(detail=False, url_path="built-in", pagination_class=None)
    def built_in(self, request: Request) -> Response:
        """Read the built-in templates."""
        found = [
            {"kind": kind, "audience": audience, "text": text}
            for (kind, audience), text in DEFAULTS.items()
        ]
        return Response(BuiltInTemplateSerializer(found, many=True).data)
