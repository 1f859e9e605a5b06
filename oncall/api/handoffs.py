"""`/api/v1/handoffs/`: what whoever goes tells whoever comes."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting, signed_in
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import InvalidInput
from oncall.models import Handoff, Schedule
from oncall.queries.handoffs import Change, change_at, changes_around
from oncall.services.handoffs import give, take


class HandoffSerializer(serializers.ModelSerializer[Handoff]):
    """One change of the person on call, signed by one or both."""

    schedule = serializers.CharField(source="schedule.slug")
    outgoing = serializers.CharField(source="outgoing.username", default=None, allow_null=True)
    incoming = serializers.CharField(source="incoming.username", default=None, allow_null=True)

    class Meta:
        model = Handoff
        fields = [
            "id",
            "schedule",
            "at",
            "outgoing",
            "incoming",
            "notes",
            "given_at",
            "given_by",
            "taken_at",
            "taken_by",
        ]


class SigningSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """Which change somebody signs."""

    schedule = serializers.SlugRelatedField(
        slug_field="slug", queryset=Schedule.objects.with_rota()
    )
    at = serializers.DateTimeField(
        required=False, help_text="When the person changes; the next change unless given."
    )


class GivingSerializer(SigningSerializer):
    """What whoever comes must know."""

    notes = serializers.CharField(allow_blank=True, required=False, default="")


class HandoffViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Handoff]
):
    """Handoffs, newest first; who goes gives, who comes takes."""

    queryset = Handoff.objects.select_related("schedule", "outgoing", "incoming")
    serializer_class = HandoffSerializer
    search_fields = ["notes"]
    read_role = Role.VIEWER
    write_role = Role.RESPONDER

    @extend_schema(request=GivingSerializer, responses=HandoffSerializer)
    @action(detail=False, methods=["post"])
    def give(self, request: Request) -> Response:
        """Hand over: notes and a signature."""
        said = self._read(GivingSerializer)
        change = _change(said, is_past=False)
        person, token = signed_in(request), acting(request)
        row = give(
            said["schedule"],
            change,
            notes=said["notes"],
            actor=person,
            token=token,
            now=now(),
        )
        return Response(HandoffSerializer(row).data)

    @extend_schema(request=SigningSerializer, responses=HandoffSerializer)
    @action(detail=False, methods=["post"])
    def take(self, request: Request) -> Response:
        """Take over: the signature of who comes; of the last change unless another is named."""
        said = self._read(SigningSerializer)
        change = _change(said, is_past=True)
        person, token = signed_in(request), acting(request)
        row = take(said["schedule"], change, actor=person, token=token, now=now())
        return Response(HandoffSerializer(row).data)

    def _read(self, kind: type[SigningSerializer]) -> dict[str, Any]:
        given = kind(data=self.request.data)
        given.is_valid(raise_exception=True)
        found: dict[str, Any] = given.validated_data
        return found


def _change(said: dict[str, Any], *, is_past: bool) -> Change:
    schedule, at, present = said["schedule"], said.get("at"), now()
    if at is not None:
        found = change_at(schedule, at)
    else:
        around = changes_around(schedule, present)
        found = next((each for each in around if (each.at <= present) is is_past), None)
    if found is None:
        raise InvalidInput("Nobody on call changes then.", field="at")
    return found
