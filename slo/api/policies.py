"""`/api/v1/budget-policies/`, `/api/v1/freeze-overrides/` and a service's `freeze`."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import NotFound
from slo.api.fields import VisibleOnlyMixin
from slo.models import BudgetPolicy, FreezeOverride
from slo.queries import freezes
from slo.queries.freezes import Freeze, Holder
from slo.services import policies


class BudgetPolicySerializer(StrictFieldsMixin, serializers.ModelSerializer[BudgetPolicy]):
    """When a budget is at risk or exhausted, and what is done about it."""

    class Meta:
        model = BudgetPolicy
        fields = [
            "slug",
            "name",
            "at_risk_below",
            "healthy_from",
            "recovered_above",
            "freeze_when",
            "pages_when_exhausted",
            "tickets_when_at_risk",
        ]

    def create(self, validated_data: dict[str, Any]) -> BudgetPolicy:
        """Create through the service, which writes the audit."""
        return self._save(BudgetPolicy(), validated_data)

    def update(self, instance: BudgetPolicy, validated_data: dict[str, Any]) -> BudgetPolicy:
        """Change through the service, which writes the audit."""
        return self._save(instance, validated_data)

    def _save(self, policy: BudgetPolicy, fields: dict[str, Any]) -> BudgetPolicy:
        actor = self.context["request"].user
        return policies.save_policy(policy, actor=actor, now=now(), fields=fields)


class BudgetPolicyViewSet(viewsets.ModelViewSet[BudgetPolicy]):
    """What follows from the state of a budget."""

    queryset = BudgetPolicy.objects.all()
    serializer_class = BudgetPolicySerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "name"]

    def perform_destroy(self, instance: BudgetPolicy) -> None:
        """Delete through the service, which writes the audit."""
        policies.delete_policy(instance, actor=signed_in(self.request), now=now())


class FreezeOverrideSerializer(
    StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[FreezeOverride]
):
    """Somebody's decision that releases are held, or are not, for a while."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())
    frozen = serializers.BooleanField(help_text="Held (true), or released in spite of the budget.")
    owner = serializers.CharField(source="owner.username", read_only=True, default=None)

    class Meta:
        model = FreezeOverride
        fields = [
            "id",
            "service",
            "frozen",
            "reason",
            "owner",
            "created_at",
            "expires_at",
            "ended_at",
        ]
        read_only_fields = ["created_at", "ended_at"]

    def create(self, validated_data: dict[str, Any]) -> FreezeOverride:
        """Decide through the service, which writes the audit."""
        owner = self.context["request"].user
        return policies.override_freeze(owner=owner, now=now(), **validated_data)


class FreezeOverrideViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[FreezeOverride],
):
    """Decisions in place of the budgets, with owner and end. None is deleted."""

    queryset = FreezeOverride.objects.none()
    serializer_class = FreezeOverrideSerializer
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["reason", "service__slug"]

    def get_queryset(self) -> QuerySet[FreezeOverride]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        rows = FreezeOverride.objects.filter(service__in=visible)
        return rows.select_related("service", "owner")

    @extend_schema(request=None, responses=FreezeOverrideSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str) -> Response:
        """Let the budgets decide again."""
        row = policies.end_override(self.get_object(), actor=signed_in(request), now=now())
        return Response(self.get_serializer(row).data)


class HolderSerializer(serializers.Serializer[Holder]):
    """An objective whose budget asks for a freeze."""

    slo = serializers.CharField(source="slo.slug")
    state = serializers.CharField(source="figures.state")
    budget_remaining = serializers.FloatField(source="figures.budget_remaining", allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class FreezeSerializer(serializers.Serializer[Freeze]):
    """Whether releases of a service are held; for gates in CI."""

    frozen = serializers.BooleanField()
    because = serializers.CharField(allow_null=True, help_text="Null when nobody and nothing asks.")
    until = serializers.DateTimeField(
        allow_null=True,
        help_text="When it ends if no further event is bad, or the override's end.",
    )
    as_of = serializers.DateTimeField(
        allow_null=True, help_text="All before it was counted; null before the first evaluation."
    )
    override = FreezeOverrideSerializer(allow_null=True)
    slos = HolderSerializer(source="holders", many=True)


class FreezeView(APIView):
    """Whether releases of a service are held, why, and until when."""

    read_role = Role.VIEWER

    @extend_schema(operation_id="services_freeze_retrieve", responses=FreezeSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Return `{"frozen": …, "because": …, "until": …}`."""
        service = Service.objects.visible_to(signed_in(request)).filter(slug=slug).first()
        if service is None:
            raise NotFound(f"There is no service {slug}.")
        return Response(FreezeSerializer(freezes.of(service, now=now())).data)
