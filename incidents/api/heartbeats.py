"""`/api/v1/heartbeats/`: what must give a sign of life."""

from typing import Any

from django.db.models import QuerySet
from django_filters import CharFilter, FilterSet
from rest_framework import mixins, serializers, viewsets

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.permissions import may_write
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from incidents.models import Heartbeat, Integration
from incidents.services.heartbeats import delete_heartbeat, save_heartbeat


class HeartbeatSerializer(StrictFieldsMixin, serializers.ModelSerializer[Heartbeat]):
    """What must give a sign of life. Its ping address is `/ping/<uid>`."""

    uid = serializers.UUIDField(
        read_only=True,
        allow_null=True,
        help_text="Key of its ping address; null for who may not change heartbeats.",
    )

    class Meta:
        model = Heartbeat
        # The service checks that, and says it at its field.
        validators: list[Any] = []
        fields = [
            "id",
            "uid",
            "integration",
            "name",
            "sender_key",
            "period",
            "grace",
            "schedule",
            "timezone",
            "severity",
            "is_paused",
            "state",
            "last_sign",
            "last_sign_at",
            "due_at",
        ]
        read_only_fields = ["state", "last_sign", "last_sign_at", "due_at"]

    def to_representation(self, instance: Heartbeat) -> dict[str, Any]:
        """Keep the key from readers: whoever has it can call people, and call them off."""
        shown = super().to_representation(instance)
        if not may_write(self.context["request"], self.context["view"]):
            shown["uid"] = None
        return shown

    def validate_integration(self, integration: Integration) -> Integration:
        """An integration that the caller may not know of does not exist for them."""
        caller: User = self.context["request"].user
        if not Integration.objects.visible_to(caller).filter(pk=integration.pk).exists():
            raise serializers.ValidationError(
                f'Invalid pk "{integration.pk}" - object does not exist.'
            )
        return integration

    def create(self, validated_data: dict[str, Any]) -> Heartbeat:
        """Create through the service, which writes the audit."""
        return self._save(Heartbeat(), validated_data)

    def update(self, instance: Heartbeat, validated_data: dict[str, Any]) -> Heartbeat:
        """Change through the service, which counts the rhythm anew."""
        return self._save(instance, validated_data)

    def _save(self, heartbeat: Heartbeat, fields: dict[str, Any]) -> Heartbeat:
        actor = acting(self.context["request"])
        return save_heartbeat(heartbeat, fields=fields, actor=actor, now=now())


class HeartbeatFilter(FilterSet):
    """What lists are narrowed by, besides their fields."""

    service = CharFilter(field_name="integration__service__slug")

    class Meta:
        model = Heartbeat
        fields: list[str] = []


class HeartbeatViewSet(
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Heartbeat],
):
    """What must give a sign of life, and how often; pause what is no longer wanted."""

    queryset = Heartbeat.objects.none()
    serializer_class = HeartbeatSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    filterset_class = HeartbeatFilter
    search_fields = ["name"]

    def get_queryset(self) -> QuerySet[Heartbeat]:
        """Only of services the caller may know of."""
        visible = Integration.objects.visible_to(signed_in(self.request)).values("pk")
        return Heartbeat.objects.filter(integration__in=visible)

    def perform_destroy(self, instance: Heartbeat) -> None:
        """Delete through the service."""
        delete_heartbeat(instance, actor=acting(self.request), now=now())
