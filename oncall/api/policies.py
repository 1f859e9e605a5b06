"""`/api/v1/policies/`: who is called for a service, in which order."""

from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework import serializers, viewsets

from accounts.access import acting, signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Service, Team
from core.api import KeyRelatedField, StrictFieldsMixin, WallTimesMixin
from core.clock import now
from notifications.models import ContactMethod
from oncall.api.weekdays import WeekdaysField
from oncall.models import (
    EscalationPolicy,
    HolidayCalendar,
    LevelTarget,
    PolicyLevel,
    Schedule,
    ServicePolicy,
    Timing,
)
from oncall.services.policies import delete_policy, save_policy


class TargetSerializer(StrictFieldsMixin, serializers.ModelSerializer[LevelTarget]):
    """Whom a level calls: one of them."""

    schedule = serializers.SlugRelatedField(
        slug_field="slug", queryset=Schedule.objects.all(), required=False, allow_null=True
    )
    person = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), required=False, allow_null=True
    )
    team = serializers.SlugRelatedField(
        slug_field="slug", queryset=Team.objects.all(), required=False, allow_null=True
    )
    channel = KeyRelatedField(
        queryset=ContactMethod.objects.filter(person=None), required=False, allow_null=True
    )

    class Meta:
        model = LevelTarget
        fields = ["schedule", "person", "team", "role", "channel"]


class LevelSerializer(StrictFieldsMixin, serializers.ModelSerializer[PolicyLevel]):
    """One level, e.g. L1, the engineer on call."""

    targets = TargetSerializer(many=True)

    class Meta:
        model = PolicyLevel
        fields = ["number", "name", "mode", "acknowledgements", "targets"]


class TimingSerializer(StrictFieldsMixin, serializers.ModelSerializer[Timing]):
    """When a level is called for one severity."""

    class Meta:
        model = Timing
        fields = ["phase", "severity", "level", "after", "urgency", "in_working_hours"]


class EscalationPolicySerializer(WallTimesMixin, serializers.ModelSerializer[EscalationPolicy]):
    """Who is called, in which order and how long after each other."""

    team = serializers.SlugRelatedField(
        slug_field="slug", queryset=Team.objects.all(), required=False, allow_null=True
    )
    holidays = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=HolidayCalendar.objects.all(),
        required=False,
        allow_null=True,
        help_text="A holiday calendar: days on which nobody works.",
    )
    work_days = WeekdaysField(required=False)
    levels = LevelSerializer(many=True, required=False)
    timings = TimingSerializer(
        many=True,
        required=False,
        help_text="A severity without any follows the operations guide's matrix.",
    )
    services = serializers.SerializerMethodField(help_text="Slugs of those called by it.")
    called_for = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=Service.objects.all(),
        many=True,
        required=False,
        write_only=True,
        help_text="Services to be called by it; replaces those it had that the caller knows of.",
    )

    class Meta:
        model = EscalationPolicy
        fields = [
            "slug",
            "name",
            "team",
            "description",
            "is_default",
            "loops",
            "repeat_after",
            "ack_timeout",
            "timezone",
            "work_begins",
            "work_ends",
            "work_days",
            "holidays",
            "levels",
            "timings",
            "services",
            "called_for",
        ]
        # Whoever becomes the default takes it from the one that was.
        extra_kwargs: dict[str, Any] = {"is_default": {"validators": []}}
        validators: list[Any] = []

    def get_services(self, policy: EscalationPolicy) -> list[str]:
        """Return those that the caller may know of."""
        return sorted(link.service.slug for link in policy.visible_services)  # type: ignore[attr-defined]

    def validate_called_for(self, services: list[Service]) -> list[Service]:
        """A service that the caller may not know of does not exist for them."""
        caller: User = self.context["request"].user
        known = set(Service.objects.visible_to(caller).values_list("pk", flat=True))
        for service in services:
            if service.pk not in known:
                raise serializers.ValidationError(
                    f"Object with slug={service.slug} does not exist."
                )
        return services

    def create(self, validated_data: dict[str, Any]) -> EscalationPolicy:
        """Create through the service."""
        return self._save(EscalationPolicy(), validated_data)

    def update(
        self, instance: EscalationPolicy, validated_data: dict[str, Any]
    ) -> EscalationPolicy:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, policy: EscalationPolicy, fields: dict[str, Any]) -> EscalationPolicy:
        parts = {name: fields.pop(name, None) for name in ("levels", "timings")}
        request = self.context["request"]
        caller, actor = signed_in(request), acting(request)
        services = fields.pop("called_for", None)
        if services is not None and policy.pk:
            # Those that the caller may not know of stay.
            unseen = Service.objects.exclude(pk__in=Service.objects.visible_to(caller).values("pk"))
            services = [*services, *unseen.filter(escalation__policy=policy)]
        saved = save_policy(
            policy, fields=fields, services=services, actor=actor, now=now(), **parts
        )
        return policies(caller).get(pk=saved.pk)


def policies(caller: User) -> QuerySet[EscalationPolicy]:
    """Return policies with all that somebody is shown of each."""
    known = ServicePolicy.objects.filter(service__in=Service.objects.visible_to(caller))
    services = Prefetch("services", known.select_related("service"), to_attr="visible_services")
    return EscalationPolicy.objects.select_related("team", "holidays").prefetch_related(
        services,
        "levels__targets__schedule",
        "levels__targets__person",
        "levels__targets__team",
        "timings",
    )


class EscalationPolicyViewSet(viewsets.ModelViewSet[EscalationPolicy]):
    """Who is called for a service, in which order and when."""

    queryset = EscalationPolicy.objects.none()
    serializer_class = EscalationPolicySerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "name"]

    def get_queryset(self) -> QuerySet[EscalationPolicy]:
        """All of them."""
        return policies(signed_in(self.request))

    def perform_destroy(self, instance: EscalationPolicy) -> None:
        """Delete through the service."""
        delete_policy(instance, actor=acting(self.request), now=now())
