"""`/api/v1/slos/`."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import signed_in
from accounts.roles import Role
from accounts.scopes import Scope
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import Conflict, InvalidInput
from slo.api.findings import FindingSerializer
from slo.api.imports import ImportMixin
from slo.api.ledger import LedgerSerializer, as_json
from slo.api.previews import PreviewSerializer, ProposalSerializer, as_preview
from slo.domain.state import State
from slo.models import BudgetPolicy, Sli, Slo, SloVersion
from slo.queries import figures, history, ledgers, previews
from slo.services import linting, objectives


class StatusSerializer(serializers.Serializer[Any]):
    """The newest figures; null is no data."""

    watermark = serializers.DateTimeField()
    window_start = serializers.DateTimeField()
    good = serializers.IntegerField()
    total = serializers.IntegerField()
    sli = serializers.FloatField(allow_null=True)
    allowed = serializers.FloatField()
    budget_remaining = serializers.FloatField(allow_null=True)
    coverage = serializers.FloatField(allow_null=True)
    measured_minutes = serializers.IntegerField()
    expected_minutes = serializers.IntegerField()
    burn = serializers.DictField()
    exhausts_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the budget is spent at the pace of the last hour; null: never, or unknown.",
    )
    never_exhausts = serializers.BooleanField()
    state = serializers.CharField()
    state_since = serializers.DateTimeField()


class InstantSerializer(serializers.Serializer[Any]):
    """An instant of the past."""

    at = serializers.DateTimeField(default_timezone=UTC)

    def validate_at(self, at: datetime) -> datetime:
        """Refuse the future, and what databases cannot hold."""
        if at > now():
            raise serializers.ValidationError("Nothing is known of the future.")
        if at.year < history.FIRST_YEAR:
            raise serializers.ValidationError(f"Nothing is known before {history.FIRST_YEAR}.")
        return at


class HistorySerializer(serializers.Serializer[Any]):
    """An objective as it was at an instant. Null is not evaluated then."""

    at = serializers.DateTimeField()
    known = StatusSerializer(allow_null=True, help_text="What the portal knew at that time.")
    counted = StatusSerializer(
        allow_null=True,
        help_text="The same windows with what came, was corrected and changed since.",
    )


class VersionSerializer(serializers.ModelSerializer[SloVersion]):
    """An objective and the moment from which it judges."""

    class Meta:
        model = SloVersion
        fields = ["objective", "effective_from", "created_at", "reason"]


class SloSerializer(StrictFieldsMixin, serializers.ModelSerializer[Slo]):
    """A promise and how it is kept."""

    sli = serializers.SlugRelatedField(slug_field="slug", queryset=Sli.objects.all())
    service = serializers.CharField(source="sli.service.slug", read_only=True)
    objective = serializers.DecimalField(max_digits=9, decimal_places=8)
    policy = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=BudgetPolicy.objects.all(),
        allow_null=True,
        required=False,
        help_text="What follows from the state of its budget; null is the standard policy.",
    )
    reason = serializers.CharField(
        required=False, write_only=True, max_length=300, help_text="Why the objective changes."
    )
    status = serializers.SerializerMethodField()

    class Meta:
        model = Slo
        fields = [
            "slug",
            "name",
            "description",
            "sli",
            "service",
            "objective",
            "reason",
            "method",
            "window_kind",
            "window_days",
            "calendar_period",
            "timezone",
            "policy",
            "minimum_events",
            "is_enabled",
            "status",
        ]

    @extend_schema_field(StatusSerializer(allow_null=True))
    def get_status(self, slo: Slo) -> dict[str, Any] | None:
        """Return the newest figures, null before the first evaluation."""
        return dict(StatusSerializer(slo.status).data) if slo.status else None

    def validate_objective(self, value: Decimal) -> Decimal:
        """Refuse 0 and 100 % with the reason."""
        try:
            return objectives.check_objective(value)
        except InvalidInput as error:
            raise serializers.ValidationError(error.message) from error

    def validate_sli(self, sli: Sli) -> Sli:
        """An SLI the caller may not know of does not exist for them."""
        user = self.context["request"].user
        if not Service.objects.visible_to(user).filter(pk=sli.service_id).exists():
            raise serializers.ValidationError(f"Object with slug={sli.slug} does not exist.")
        return sli

    def create(self, validated_data: dict[str, Any]) -> Slo:
        """Create with a first version."""
        validated_data.pop("reason", "")
        return objectives.create_slo(
            actor=self.context["request"].user, now=now(), **validated_data
        )

    def update(self, instance: Slo, validated_data: dict[str, Any]) -> Slo:
        """Change; another objective becomes a new version from now on."""
        changed = objectives.change_slo(
            slo=instance, actor=self.context["request"].user, now=now(), fields=validated_data
        )
        changed.status = instance.status
        return changed


class SloFilter(django_filters.FilterSet):
    """Keeps SLOs also by the kind of their SLI and by how they stand."""

    kind = django_filters.MultipleChoiceFilter(
        field_name="sli__kind", choices=Sli.Kind.choices, distinct=False
    )
    state = django_filters.MultipleChoiceFilter(
        field_name="standing__state",
        choices=[(state.value, state.value) for state in State],
        distinct=False,
    )

    class Meta:
        model = Slo
        fields: list[str] = []


class SloViewSet(ImportMixin, viewsets.ModelViewSet[Slo]):
    """Promises and how they are kept."""

    queryset = Slo.objects.none()
    serializer_class = SloSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    write_scope = Scope.WRITE
    filterset_class = SloFilter
    search_fields = ["slug", "name", "description", "sli__service__slug"]

    def get_queryset(self) -> QuerySet[Slo]:
        """Only of services the caller may know of."""
        return (
            Slo.objects.visible_to(signed_in(self.request))
            .select_related("sli__service", "policy")
            .prefetch_related("versions")
        )

    def get_object(self) -> Slo:
        """Return one SLO with its newest figures."""
        slo = super().get_object()
        slo.status = figures.of(slo)
        return slo

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """Return a page of SLOs with their newest figures."""
        page = super().paginate_queryset(queryset)
        return None if page is None else figures.attach(page)

    def perform_destroy(self, instance: Slo) -> None:
        """Delete through the service, which writes the audit."""
        objectives.delete_slo(slo=instance, actor=signed_in(self.request), now=now())

    @extend_schema(responses=VersionSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def versions(self, request: Request, slug: str) -> Response:
        """Return every objective this SLO had, oldest first."""
        return Response(VersionSerializer(self.get_object().versions.all(), many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("at", datetime, required=True, description="An instant of the past.")
        ],
        responses=HistorySerializer,
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def history(self, request: Request, slug: str) -> Response:
        """Return what was known at an instant, and what is counted for it with all data since."""
        slo = self.get_object()
        asked = InstantSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        at = asked.validated_data["at"]
        known, counted = history.known_at(at), history.counted_at(at)
        found = {
            "at": at,
            "known": known.get(slo.pk) if known else None,
            "counted": counted.get(slo.pk),
        }
        return Response(HistorySerializer(found).data)

    @extend_schema(request=ProposalSerializer, responses=PreviewSerializer)
    @action(detail=True, methods=["post"], write_role=Role.VIEWER, write_scope=Scope.READ)
    def preview(self, request: Request, slug: str) -> Response:
        """Return what a change would have meant for the last 90 days; nothing is changed."""
        slo, changed = self.get_object(), self.get_object()
        proposal = ProposalSerializer(data=request.data)
        proposal.is_valid(raise_exception=True)
        fields = dict(proposal.validated_data)
        objective = objectives.check_objective(fields.pop("objective", slo.objective))
        for name, value in fields.items():
            setattr(changed, name, value)
        changed.full_clean()
        if slo.status is None:
            raise Conflict("This objective was not evaluated yet.")
        watermark = slo.status.round.watermark
        found = previews.of(slo, changed, objective, watermark=watermark)
        (report,) = linting.check([changed], now=now(), objective=objective)
        return Response(as_preview(found, report.findings))

    @extend_schema(responses=LedgerSerializer)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def ledger(self, request: Request, slug: str) -> Response:
        """Return what took how much of the budget of the present window."""
        slo = self.get_object()
        if slo.status is None:
            raise Conflict("This objective was not evaluated yet.")
        found = ledgers.of(slo, slo.status.round.watermark)
        return Response(as_json(found))

    @extend_schema(responses=FindingSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def lint(self, request: Request, slug: str) -> Response:
        """Return what is wrong with this SLO, the worst first; an empty list when nothing is."""
        reports = linting.check([self.get_object()], now=now())
        return Response(FindingSerializer(reports[0].findings, many=True).data)
