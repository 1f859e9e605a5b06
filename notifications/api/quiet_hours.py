"""`/api/v1/quiet-hours/`: when you are not called for what can wait."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, serializers, viewsets

from accounts.access import acting, signed_in
from accounts.roles import Role
from core.api import WallTimesMixin
from core.clock import now
from notifications.models import QuietHours
from notifications.services.quiet_hours import (
    add_quiet_hours,
    change_quiet_hours,
    remove_quiet_hours,
)

__all__ = ["QuietHoursViewSet"]


class QuietHoursSerializer(WallTimesMixin, serializers.ModelSerializer[QuietHours]):
    """From when to when, by the clock of your zone."""

    class Meta:
        model = QuietHours
        fields = ["id", "begins", "ends"]
        extra_kwargs: dict[str, Any] = {"begins": {"required": True}, "ends": {"required": True}}

    def create(self, validated_data: dict[str, Any]) -> QuietHours:
        """Set them through the service, for the caller."""
        request = self.context["request"]
        return add_quiet_hours(
            signed_in(request), **validated_data, actor=acting(request), now=now()
        )

    def update(self, instance: QuietHours, validated_data: dict[str, Any]) -> QuietHours:
        """Change them through the service."""
        actor = acting(self.context["request"])
        return change_quiet_hours(instance, fields=validated_data, actor=actor, now=now())


class QuietHoursViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[QuietHours],
):
    """Your own quiet hours, one span at most; without any you are called at any hour."""

    http_method_names = ["get", "head", "options", "post", "patch", "delete"]
    queryset = QuietHours.objects.none()
    serializer_class = QuietHoursSerializer
    read_role = Role.VIEWER
    # As on the page; a token needs the scope write besides.
    write_role = Role.VIEWER

    def get_queryset(self) -> QuerySet[QuietHours]:
        """Only your own."""
        return QuietHours.objects.filter(person=signed_in(self.request))

    def perform_destroy(self, instance: QuietHours) -> None:
        """Remove through the service."""
        remove_quiet_hours(instance.person, actor=acting(self.request), now=now())
