"""`/api/v1/fallback-contacts/`: who is called when nobody else can be."""

from typing import Any

from rest_framework import mixins, serializers, viewsets

from accounts.access import acting
from accounts.models import User
from accounts.roles import Role
from core.api import KeyRelatedField, StrictFieldsMixin
from core.clock import now
from notifications.models import ContactMethod
from oncall.models import FallbackContact
from oncall.services.fallbacks import add_fallback, remove_fallback


class FallbackContactSerializer(StrictFieldsMixin, serializers.ModelSerializer[FallbackContact]):
    """Somebody, or a team's channel: one of them."""

    person = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), required=False, allow_null=True
    )
    channel = KeyRelatedField(
        queryset=ContactMethod.objects.filter(person=None), required=False, allow_null=True
    )

    class Meta:
        model = FallbackContact
        fields = ["id", "person", "channel"]
        # The service checks that.
        validators: list[Any] = []

    def create(self, validated_data: dict[str, Any]) -> FallbackContact:
        """Create through the service."""
        return add_fallback(**validated_data, actor=acting(self.context["request"]), now=now())


class FallbackContactViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[FallbackContact],
):
    """Who is called when nobody else can be; without any, all admins are."""

    queryset = FallbackContact.objects.select_related("person", "channel")
    serializer_class = FallbackContactSerializer
    read_role = Role.VIEWER
    write_role = Role.ADMIN

    def perform_destroy(self, instance: FallbackContact) -> None:
        """Remove through the service."""
        remove_fallback(instance, actor=acting(self.request), now=now())
