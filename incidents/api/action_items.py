"""`/api/v1/action-items/`: what is to be done about incidents, by whom and until when."""

from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.roles import Role
from core.api import KeyRelatedField, StrictFieldsMixin
from core.clock import now
from core.listing import TruthFilter
from incidents.models import ActionItem, Incident
from incidents.services import action_items


class ActionItemSerializer(StrictFieldsMixin, serializers.ModelSerializer[ActionItem]):
    """One thing to be done about an incident."""

    incident = KeyRelatedField(queryset=Incident.objects.all())
    service = serializers.CharField(
        source="incident.service.slug", read_only=True, allow_null=True, default=None
    )
    owner = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.all(),
        required=False,
        allow_null=True,
        help_text="A username; a follow-up needs one.",
    )
    state = serializers.ChoiceField(choices=["open", "done", "dropped"], read_only=True)
    is_overdue = serializers.SerializerMethodField(
        help_text="Whether its day has ended in its owner's time zone."
    )

    class Meta:
        model = ActionItem
        fields = [
            "id",
            "incident",
            "service",
            "kind",
            "title",
            "owner",
            "due_on",
            "url",
            "state",
            "is_overdue",
            "created_by",
            "created_at",
            "done_at",
            "done_by",
            "dropped_at",
            "dropped_by",
            "drop_reason",
        ]
        read_only_fields = [
            "created_by", "created_at", "done_at", "done_by", "dropped_at", "dropped_by",
            "drop_reason",
        ]  # fmt: skip

    def get_is_overdue(self, item: ActionItem) -> bool:
        """Return whether it is late."""
        return item.is_overdue(now())

    def validate_incident(self, incident: Incident) -> Incident:
        """Refuse an incident of a service that the caller may not know of, as if there were none."""
        user = signed_in(self.context["request"])
        if self.instance is not None and incident != self.instance.incident:
            raise serializers.ValidationError(
                "It stays with its incident: drop it, and make another."
            )
        if not Incident.objects.visible_to(user).filter(pk=incident.pk).exists():
            raise serializers.ValidationError("There is no such incident.")
        return incident

    def create(self, validated_data: dict[str, Any]) -> ActionItem:
        """Create through the service."""
        incident = validated_data.pop("incident")
        return action_items.create(incident, fields=validated_data, **self._by)

    def update(self, instance: ActionItem, validated_data: dict[str, Any]) -> ActionItem:
        """Change through the service."""
        validated_data.pop("incident", None)
        return action_items.edit(instance, fields=validated_data, **self._by)

    @property
    def _by(self) -> dict[str, Any]:
        return {"now": now(), "actor": acting(self.context["request"])}


class DropSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Why it is not done."""

    reason = serializers.CharField(max_length=500)


class ActionItemFilter(FilterSet):
    """What lists are narrowed by, besides their fields."""

    is_overdue = TruthFilter(method="that_are_late", label="Late, or not")
    is_open = TruthFilter(method="that_are_open", label="Still to be done, or not")

    class Meta:
        model = ActionItem
        fields: list[str] = []

    def that_are_late(
        self, rows: QuerySet[ActionItem], _name: str, wanted: bool
    ) -> QuerySet[ActionItem]:
        """Keep those that are late, or those that are not."""
        late = ActionItem.objects.overdue(now()).values("pk")
        return rows.filter(pk__in=late) if wanted else rows.exclude(pk__in=late)

    def that_are_open(
        self, rows: QuerySet[ActionItem], _name: str, wanted: bool
    ) -> QuerySet[ActionItem]:
        """Keep those that somebody must still do, or those that are done or dropped."""
        waiting = ActionItem.objects.open().values("pk")
        return rows.filter(pk__in=waiting) if wanted else rows.exclude(pk__in=waiting)


class ActionItemViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[ActionItem],
):
    """What is to be done; finished or dropped, never deleted."""

    queryset = ActionItem.objects.none()
    serializer_class = ActionItemSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    filterset_class = ActionItemFilter
    search_fields = ["title"]

    def get_queryset(self) -> QuerySet[ActionItem]:
        """Only of incidents the caller may know of."""
        rows = ActionItem.objects.visible_to(signed_in(self.request))
        return rows.select_related("incident__service", "owner")

    @extend_schema(request=None, responses=ActionItemSerializer)
    @action(detail=True, methods=["post"])
    def finish(self, request: Request, pk: str | None = None) -> Response:
        """Say that it is done. Again changes nothing."""
        item = action_items.finish(self.get_object(), now=now(), actor=acting(request))
        return Response(self.get_serializer(item).data)

    @extend_schema(request=None, responses=ActionItemSerializer)
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str | None = None) -> Response:
        """Say that it is to be done after all."""
        item = action_items.reopen(self.get_object(), now=now(), actor=acting(request))
        return Response(self.get_serializer(item).data)

    @extend_schema(request=DropSerializer, responses=ActionItemSerializer)
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, pk: str | None = None) -> Response:
        """Say that it will not be done, and why; it is kept."""
        said = DropSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        reason = said.validated_data["reason"]
        item = action_items.drop(self.get_object(), reason=reason, now=now(), actor=acting(request))
        return Response(self.get_serializer(item).data)
