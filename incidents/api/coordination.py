"""Below `/api/v1/incidents/<id>/`: `roles/` and `status-updates/`, part of the resource of incidents."""

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.models import User
from core.api import ChoiceField, StrictFieldsMixin
from core.clock import now
from incidents.domain.communication import Audience, PublicState
from incidents.domain.roles import RoleName
from incidents.models import Incident, StatusUpdate
from incidents.models.communication import AUDIENCES, LONGEST_UPDATE, PUBLIC_STATES, ROLES
from incidents.queries.roles import roles_of
from incidents.queries.status_updates import Draft, doubts
from incidents.services import roles
from incidents.services.status_updates import check, publish

__all__ = ["RolesMixin", "StatusUpdatesMixin"]


class RoleSerializer(serializers.Serializer[Any]):
    """Who has one role of an incident."""

    role = serializers.ChoiceField(choices=ROLES, read_only=True)
    holder = serializers.CharField(read_only=True, help_text="Empty where nobody took it.")
    since = serializers.DateTimeField(read_only=True, allow_null=True)
    is_free = serializers.BooleanField(
        read_only=True, help_text="Nobody has it, or its holder is gone: anybody may claim it."
    )
    absence = serializers.CharField(
        read_only=True, help_text="Why its holder no longer has it; empty where they have."
    )
    offered_to = serializers.CharField(read_only=True, help_text="Empty where nobody is asked.")
    offered_at = serializers.DateTimeField(read_only=True, allow_null=True)


class WhichRoleSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Which role."""

    role = ChoiceField(choices=ROLES)


class OfferSerializer(WhichRoleSerializer):
    """Which role is handed to whom."""

    to: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.filter(is_active=True),
        help_text="A username; they have it once they accept.",
    )


class RolesMixin(viewsets.GenericViewSet[Incident]):
    """Who has which role in an incident."""

    @extend_schema(responses=RoleSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def roles(self, request: Request, pk: str | None = None) -> Response:
        """Read who has which role; those that nobody has are there, too."""
        return self._roles(self.get_object())

    @extend_schema(request=WhichRoleSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/claim", pagination_class=None)
    def claim_role(self, request: Request, pk: str | None = None) -> Response:
        """Take a role that nobody has; a held one is refused (409), naming its holder."""
        return self._act(roles.claim, WhichRoleSerializer)

    @extend_schema(request=OfferSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/offer", pagination_class=None)
    def offer_role(self, request: Request, pk: str | None = None) -> Response:
        """Ask somebody to take a role that you have; managers offer any. Until they accept, it stays."""
        return self._act(roles.offer, OfferSerializer)

    @extend_schema(request=WhichRoleSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/accept", pagination_class=None)
    def accept_role(self, request: Request, pk: str | None = None) -> Response:
        """Take a role that you are offered."""
        return self._act(roles.accept, WhichRoleSerializer)

    @extend_schema(request=WhichRoleSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/decline", pagination_class=None)
    def decline_role(self, request: Request, pk: str | None = None) -> Response:
        """Decline what you are offered; whoever has the role, and managers, take an offer back by it."""
        return self._act(roles.decline, WhichRoleSerializer)

    @extend_schema(request=WhichRoleSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/release", pagination_class=None)
    def release_role(self, request: Request, pk: str | None = None) -> Response:
        """Give back a role that you have."""
        return self._act(roles.release, WhichRoleSerializer)

    @extend_schema(request=WhichRoleSerializer, responses=RoleSerializer(many=True))
    @action(detail=True, methods=["post"], url_path="roles/take-over", pagination_class=None)
    def take_over_role(self, request: Request, pk: str | None = None) -> Response:
        """Take a role from somebody who is away, as a manager."""
        return self._act(roles.take_over, WhichRoleSerializer)

    def _act(
        self, deed: Callable[..., Incident], kind: type[serializers.Serializer[Any]]
    ) -> Response:
        incident = self.get_object()
        said = kind(data=self.request.data)
        said.is_valid(raise_exception=True)
        asked = {**said.validated_data, "role": RoleName(said.validated_data["role"])}
        person, actor = signed_in(self.request), acting(self.request)
        return self._roles(deed(incident.pk, **asked, person=person, now=now(), actor=actor))

    def _roles(self, incident: Incident) -> Response:
        found = roles_of(incident, signed_in(self.request))
        return Response(RoleSerializer(found, many=True).data)


class StatusUpdateSerializer(serializers.ModelSerializer[StatusUpdate]):
    """What was told of an incident."""

    class Meta:
        model = StatusUpdate
        fields = ["id", "audience", "state", "text", "author", "at"]
        read_only_fields = fields


class NewUpdateSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """What is to be told, and whom."""

    audience = ChoiceField(choices=AUDIENCES)
    state = ChoiceField(
        choices=PUBLIC_STATES, required=False, help_text="Of public updates, which need one."
    )
    text = serializers.CharField(max_length=LONGEST_UPDATE)
    confirm = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Publish a public update; without it the answer (200) is what would be public.",
    )


class UpdatePreviewSerializer(serializers.Serializer[Any]):
    """All that would be public; nothing was published."""

    state = serializers.ChoiceField(choices=PUBLIC_STATES, read_only=True)
    text = serializers.CharField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    doubts = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What speaks against it."
    )
    is_published = serializers.BooleanField(read_only=True, help_text="Always false.")


class StatusUpdatesMixin(viewsets.GenericViewSet[Incident]):
    """What is told of an incident, inside and to everybody."""

    @extend_schema(responses=StatusUpdateSerializer(many=True), filters=False)
    @action(detail=True, url_path="status-updates", pagination_class=None)
    def status_updates(self, request: Request, pk: str | None = None) -> Response:
        """Read what was told, internal and public, oldest first; of very much the newest thousand."""
        told = self.get_object().status_updates.order_by("-at", "-pk")[:1000]
        return Response(StatusUpdateSerializer([*reversed(told)], many=True).data)

    @extend_schema(
        request=NewUpdateSerializer,
        responses={200: UpdatePreviewSerializer, 201: StatusUpdateSerializer},
    )
    @status_updates.mapping.post
    def tell(self, request: Request, pk: str | None = None) -> Response:
        """Tell something: an internal update at once (201), a public one with `"confirm": true` (201).

        A public update without it publishes nothing: the answer (200) is exactly what would be public.
        """
        incident = self.get_object()
        serializer = NewUpdateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        said = serializer.validated_data
        state = PublicState(said["state"]) if "state" in said else None
        draft = Draft(Audience(said["audience"]), said["text"], state)
        if draft.audience is Audience.PUBLIC and not said["confirm"]:
            check(incident, draft)
            shown = {"state": draft.state, "text": draft.text, "at": now(), "is_published": False}
            seen = {**shown, "doubts": doubts(incident, draft)}
            return Response(UpdatePreviewSerializer(seen).data)
        update = publish(incident.pk, draft, now=now(), actor=acting(request))
        return Response(StatusUpdateSerializer(update).data, 201)
