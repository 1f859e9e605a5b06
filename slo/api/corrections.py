"""`/api/v1/corrections/`."""

from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from slo.api.fields import VisibleOnlyMixin
from slo.domain.judging import Judgement
from slo.models import Correction, Slo
from slo.services import corrections


class JudgedSerializer(serializers.Serializer[Judgement]):
    """Counts and budget of a window; null is no data."""

    good = serializers.SerializerMethodField()
    total = serializers.SerializerMethodField()
    measured_minutes = serializers.IntegerField(source="measured")
    expected_minutes = serializers.IntegerField(source="expected")
    budget_remaining = serializers.FloatField(source="remaining", allow_null=True)

    def get_good(self, found: Judgement) -> int:
        """Return good events, or minutes by the methods that count slices."""
        return found.good // found.unit

    def get_total(self, found: Judgement) -> int:
        """Return all of them."""
        return found.total // found.unit


class EffectSerializer(serializers.Serializer[Any]):
    """What a correction does to one objective's present window."""

    slo = serializers.CharField(source="slo.slug")
    window_start = serializers.DateTimeField(source="window.start")
    window_end = serializers.DateTimeField(source="window.end")
    before = JudgedSerializer()
    after = JudgedSerializer()


class CorrectionSerializer(
    StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[Correction]
):
    """Time whose counts are not judged as measured."""

    slo = serializers.SlugRelatedField(
        slug_field="slug", queryset=Slo.objects.all(), allow_null=True, required=False
    )
    service = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=Service.objects.all(),
        allow_null=True,
        required=False,
        help_text="All objectives of this service, instead of one.",
    )
    created_by = serializers.CharField(source="created_by.username", read_only=True, default=None)

    class Meta:
        model = Correction
        fields = [
            "id",
            "slo",
            "service",
            "mode",
            "cap",
            "starts_at",
            "ends_at",
            "rule",
            "timezone",
            "reason",
            "created_by",
            "created_at",
            "cancelled_at",
        ]
        read_only_fields = ["created_at", "cancelled_at"]
        # The model's own checks name the fields.
        validators: list[Any] = []


class CreatedSerializer(CorrectionSerializer):
    """A correction that was just made, with what it changed."""

    effects = EffectSerializer(many=True, read_only=True)

    class Meta(CorrectionSerializer.Meta):
        fields = [*CorrectionSerializer.Meta.fields, "effects"]


class CancelSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """How a correction ends."""

    entirely = serializers.BooleanField(
        default=False, help_text="As if it had never been, instead of from now on."
    )


class CorrectionViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[Correction],
):
    """Intervals, once or repeating, that are judged otherwise than measured."""

    queryset = Correction.objects.none()
    serializer_class = CorrectionSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["reason", "slo__slug", "service__slug"]

    def get_queryset(self) -> QuerySet[Correction]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        rows = Correction.objects.select_related("slo", "service", "created_by")
        return rows.filter(Q(service__in=visible) | Q(slo__sli__service__in=visible))

    @extend_schema(responses={201: CreatedSerializer})
    def create(self, request: Request) -> Response:
        """Make a correction; the answer says what it changed."""
        checked = self._checked(request)
        row, effects = corrections.create(actor=signed_in(request), now=now(), **checked)
        body = {
            **self.get_serializer(row).data,
            "effects": EffectSerializer(effects, many=True).data,
        }
        return Response(body, status=status.HTTP_201_CREATED)

    @extend_schema(responses=EffectSerializer(many=True))
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def preview(self, request: Request) -> Response:
        """Return what a correction would change; nothing is stored."""
        row = corrections.draft(actor=signed_in(request), **self._checked(request))
        return Response(EffectSerializer(corrections.preview(row, now=now()), many=True).data)

    @extend_schema(request=CancelSerializer, responses=CorrectionSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a correction now, or take it back entirely."""
        how = CancelSerializer(data=request.data)
        how.is_valid(raise_exception=True)
        row = corrections.cancel(
            self.get_object(),
            actor=signed_in(request),
            now=now(),
            entirely=how.validated_data["entirely"],
        )
        return Response(self.get_serializer(row).data)

    def _checked(self, request: Request) -> dict[str, Any]:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)
