"""`/api/v1/backfills/`: fetching the past of SLIs from their sources."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from slo.models import BackfillJob, Sli
from slo.services import backfills


class BackfillSerializer(StrictFieldsMixin, serializers.ModelSerializer[BackfillJob]):
    """Minutes of one SLI that are fetched from its source again, oldest first."""

    sli = serializers.SlugRelatedField(slug_field="slug", queryset=Sli.objects.all())
    minutes = serializers.IntegerField(read_only=True, help_text="Asked for.")
    minutes_done = serializers.IntegerField(read_only=True, help_text="Fetched, gaps included.")
    progress = serializers.SerializerMethodField(help_text="Share that is done, 0 to 1.")

    class Meta:
        model = BackfillJob
        fields = [
            "id",
            "sli",
            "start_at",
            "end_at",
            "state",
            "minutes",
            "minutes_done",
            "progress",
            "done_until",
            "gaps",
            "attempts",
            "error",
            "created_at",
        ]
        # That only one is open at a time is a conflict, not a wrong field: the service says it.
        validators: ClassVar[list[Any]] = []
        read_only_fields = ["state", "done_until", "gaps", "attempts", "error", "created_at"]

    def get_progress(self, job: BackfillJob) -> float:
        """Return the share that is done."""
        return round(job.minutes_done / job.minutes, 4)

    def validate_sli(self, sli: Sli) -> Sli:
        """An SLI the caller may not know of does not exist for them."""
        visible = Service.objects.visible_to(self.context["request"].user)
        if not visible.filter(pk=sli.service_id).exists():
            raise serializers.ValidationError(f"Object with slug={sli.slug} does not exist.")
        return sli

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The beginning comes first."""
        if attrs["start_at"] >= attrs["end_at"]:
            raise serializers.ValidationError({"end_at": ["Must lie after start_at."]})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> BackfillJob:
        """Begin through the service, which writes the audit."""
        return backfills.create(
            sli=validated_data["sli"],
            start=validated_data["start_at"],
            end=validated_data["end_at"],
            actor=self.context["request"].user,
            now=now(),
        )


class BackfillViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[BackfillJob],
):
    """Backfills with their progress."""

    queryset = BackfillJob.objects.none()
    serializer_class = BackfillSerializer
    lookup_field = "pk"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["sli__slug"]

    def get_queryset(self) -> QuerySet[BackfillJob]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        rows = BackfillJob.objects.filter(sli__service__in=visible)
        return rows.select_related("sli")

    @extend_schema(request=None, responses=BackfillSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a backfill; what it wrote stays."""
        job = backfills.cancel(self.get_object(), actor=signed_in(request), now=now())
        return Response(self.get_serializer(job).data)
