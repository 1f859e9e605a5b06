"""`/api/v1/integrations/`: keys with which other systems send alerts."""

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
from incidents.models import Integration
from incidents.queries.addresses import address_of
from incidents.services.integrations import rotate_key, save_integration


class IntegrationSerializer(
    StrictFieldsMixin, VisibleServiceMixin, serializers.ModelSerializer[Integration]
):
    """A key with which one system sends alerts about one service."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())
    masked_key = serializers.CharField(read_only=True, help_text="How its key ends.")
    signing_secret = serializers.CharField(
        required=False,
        write_only=True,
        allow_blank=True,
        trim_whitespace=False,
        max_length=1000,
        help_text="With which the sender signs; empty forgets it. Never shown.",
    )

    fresh_key = ""

    class Meta:
        model = Integration
        fields = [
            "id",
            "kind",
            "name",
            "service",
            "is_enabled",
            "masked_key",
            "severity_map",
            "mapping",
            "auto_resolve",
            "hold_off",
            "runbook_url",
            "topic_arn",
            "signing_secret",
            "created_at",
        ]
        read_only_fields = ["created_at"]

    def validate_kind(self, kind: str) -> str:
        """The kind stays what it was."""
        if self.instance is not None and kind != self.instance.kind:
            raise serializers.ValidationError("The kind cannot be changed; make another one.")
        return kind

    def create(self, validated_data: dict[str, Any]) -> Integration:
        """Create through the service; the key goes out with the answer, once."""
        integration = Integration()
        self.fresh_key = self._save(integration, validated_data)
        return integration

    def update(self, instance: Integration, validated_data: dict[str, Any]) -> Integration:
        """Change through the service, which writes the audit."""
        self._save(instance, validated_data)
        return instance

    def _save(self, integration: Integration, fields: dict[str, Any]) -> str:
        secret = fields.pop("signing_secret", None)
        return save_integration(
            integration,
            fields=fields,
            actor=acting(self.context["request"]),
            now=now(),
            signing_secret=secret,
        )


class KeyedIntegrationSerializer(IntegrationSerializer):
    """A new key, shown in this answer only, and where its sender sends."""

    key = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta(IntegrationSerializer.Meta):
        fields = [*IntegrationSerializer.Meta.fields, "key", "url"]

    def get_key(self, integration: Integration) -> str:
        """Return the key."""
        key: str = self.context["key"]
        return key

    def get_url(self, integration: Integration) -> str:
        """Return where the sender sends."""
        return address_of(integration.kind, self.context["key"])


class IntegrationViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Integration],
):
    """Keys with which other systems send alerts. What they sent stays, so none is deleted."""

    queryset = Integration.objects.none()
    serializer_class = IntegrationSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["name", "service__slug"]

    def get_queryset(self) -> QuerySet[Integration]:
        """Only of services the caller may know of."""
        return Integration.objects.visible_to(signed_in(self.request)).select_related("service")

    @extend_schema(responses={201: KeyedIntegrationSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make an integration; the answer has its key, which nobody sees again."""
        serializer = IntegrationSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return self._with_key(serializer.save(), serializer.fresh_key, 201)

    @extend_schema(request=None, responses=KeyedIntegrationSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str | None = None) -> Response:
        """Replace the key; the answer has the new one, the old one is unknown from now on."""
        integration = self.get_object()
        key = rotate_key(integration, actor=acting(request), now=now())
        return self._with_key(integration, key, 200)

    def _with_key(self, integration: Integration, key: str, status: int) -> Response:
        context = {**self.get_serializer_context(), "key": key}
        body = KeyedIntegrationSerializer(integration, context=context).data
        return Response(body, status, headers={"Cache-Control": "no-store"})
