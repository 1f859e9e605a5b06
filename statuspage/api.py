"""`/api/v1/components/` and `/api/v1/component-groups/`."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.routers import SimpleRouter

from accounts.access import acting, signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from slo.api.fields import VisibleOnlyMixin
from slo.models import Slo
from statuspage.domain.statuses import Status
from statuspage.models import Component, ComponentGroup
from statuspage.models.components import STATUSES
from statuspage.queries.snapshots import statuses_of
from statuspage.services import components

__all__ = ["ComponentGroupViewSet", "ComponentViewSet", "register"]


@extend_schema_field({"type": ["string", "null"], "enum": [*Status, None]})
class StatusField(serializers.ChoiceField):
    """Read: how the component is now. Written: set by hand; null takes that back."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=STATUSES, **options)

    def get_attribute(self, instance: Component) -> Any:
        """Return how it is now, of all rows of an answer at once."""
        own = self.parent
        assert isinstance(own, ComponentSerializer)
        return own.statuses_beside(instance)[instance.pk]


class ComponentGroupSerializer(StrictFieldsMixin, serializers.ModelSerializer[ComponentGroup]):
    """A heading of the public page."""

    class Meta:
        model = ComponentGroup
        fields = ["id", "public_id", "name", "order", "created_at", "updated_at"]
        read_only_fields = ["public_id"]

    def create(self, validated_data: dict[str, Any]) -> ComponentGroup:
        """Create through the service, which writes the audit."""
        return self.update(ComponentGroup(), validated_data)

    def update(self, instance: ComponentGroup, validated_data: dict[str, Any]) -> ComponentGroup:
        """Change through the service, which writes the audit."""
        actor = acting(self.context["request"])
        return components.save_group(instance, fields=validated_data, actor=actor, now=now())


class ComponentSerializer(
    StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[Component]
):
    """What the public page lists. Its service and its objective are internal, and are not shown there."""

    service = serializers.SlugRelatedField(
        slug_field="slug", queryset=Service.objects.all(), allow_null=True, required=False
    )
    slo = serializers.SlugRelatedField(
        slug_field="slug", queryset=Slo.objects.all(), allow_null=True, required=False
    )
    status = StatusField(
        allow_null=True,
        required=False,
        help_text="How it is now. Written, it holds until null is written.",
    )
    is_manual = serializers.SerializerMethodField(help_text="Whether the status was set by hand.")

    class Meta:
        model = Component
        fields = [
            "id",
            "public_id",
            "name",
            "description",
            "group",
            "order",
            "service",
            "slo",
            "is_shown",
            "shows_maintenance",
            "status",
            "is_manual",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["public_id"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._statuses: dict[int, Status] = {}

    def statuses_beside(self, row: Component) -> dict[int, Status]:
        """Return how the components of the answer are, worked out once for all of them."""
        if row.pk not in self._statuses:
            beside: Any = self.parent.instance if self.parent else [row]
            self._statuses = statuses_of(list(beside), now=now())
        return self._statuses

    def get_is_manual(self, row: Component) -> bool:
        """Return whether somebody set its status."""
        return bool(row.manual_status)

    def to_representation(self, instance: Component) -> dict[str, Any]:
        """Leave out the names of what the caller may not know of."""
        shown: dict[str, Any] = super().to_representation(instance)
        for name in ("service", "slo"):
            if not getattr(instance, f"knows_{name}", False):
                shown[name] = None
        return shown

    def create(self, validated_data: dict[str, Any]) -> Component:
        """Create through the service, which writes the audit."""
        return self.update(Component(), validated_data)

    def update(self, instance: Component, validated_data: dict[str, Any]) -> Component:
        """Change through the service, which writes the audit."""
        request = self.context["request"]
        fields = dict(validated_data)
        if "status" in fields:
            fields["manual_status"] = fields.pop("status") or ""
        saved = components.save_component(instance, fields=fields, actor=acting(request), now=now())
        return Component.objects.with_known(signed_in(request)).get(pk=saved.pk)


class ComponentGroupViewSet(viewsets.ModelViewSet[ComponentGroup]):
    """Headings of the public status page."""

    queryset = ComponentGroup.objects.all()
    serializer_class = ComponentGroupSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["name"]

    def perform_destroy(self, instance: ComponentGroup) -> None:
        """Delete through the service, which writes the audit; its components stay."""
        components.delete(instance, actor=acting(self.request), now=now())


class ComponentViewSet(viewsets.ModelViewSet[Component]):
    """What the public status page lists; PATCH `status` sets it by hand, null takes that back."""

    queryset = Component.objects.none()
    serializer_class = ComponentSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["name", "description"]

    def get_queryset(self) -> QuerySet[Component]:
        """Return all, and of each whether the caller may know what is behind it."""
        caller = signed_in(self.request)
        rows = Component.objects.with_known(caller)
        asked = self.request.query_params
        # A filter must not tell what the answer leaves out.
        if "service" in asked:
            rows = rows.filter(service__in=Service.objects.visible_to(caller))
        if "slo" in asked:
            rows = rows.filter(slo__in=Slo.objects.visible_to(caller))
        return rows.select_related("group", "service", "slo")

    def perform_destroy(self, instance: Component) -> None:
        """Delete through the service, which writes the audit."""
        components.delete(instance, actor=acting(self.request), now=now())


def register(router: SimpleRouter) -> None:
    """Add the resources."""
    router.register("components", ComponentViewSet, basename="component")
    router.register("component-groups", ComponentGroupViewSet, basename="component-group")
