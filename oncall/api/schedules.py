"""`/api/v1/schedules/` and `/api/v1/overrides/`."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting
from accounts.models import User
from accounts.roles import Role
from catalog.models import Team
from core.api import StrictFieldsMixin, WallTimesMixin
from core.clock import now
from core.errors import InvalidInput, NotFound
from core.listing import InstantFilter, refuse_blank, refuse_unknown_parameters
from core.reach import BEYOND, is_within_reach
from notifications.queries.readiness import readiness_of_people
from oncall.api.weekdays import WeekdaysField
from oncall.domain.schedules import Shift, gaps
from oncall.domain.spans import Span
from oncall.models import (
    HolidayCalendar,
    Layer,
    LayerMember,
    LayerRestriction,
    Override,
    OverrideFeed,
    Schedule,
)
from oncall.queries.overlaps import overlaps_of
from oncall.queries.rotas import on_call_at, shifts
from oncall.services.feeds import remove_feed, set_feed
from oncall.services.schedules import delete_override, delete_schedule, save_override, save_schedule

LONGEST_VIEW = timedelta(days=366)


class RestrictionSerializer(WallTimesMixin, serializers.ModelSerializer[LayerRestriction]):
    """Hours at which a layer holds."""

    weekdays = WeekdaysField(help_text="On which they begin.")

    class Meta:
        model = LayerRestriction
        fields = ["begins", "ends", "weekdays"]


class LayerSerializer(WallTimesMixin, serializers.ModelSerializer[Layer]):
    """A rotation; later ones in the list stand above earlier ones."""

    people: serializers.SlugRelatedField[User] = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), many=True
    )
    restrictions = RestrictionSerializer(many=True, required=False)

    class Meta:
        model = Layer
        fields = [
            "name",
            "first_on",
            "handover_at",
            "unit",
            "every",
            "until",
            "on_holidays",
            "people",
            "restrictions",
        ]

    def to_representation(self, layer: Layer) -> dict[str, Any]:
        """Show people by their names, in turn."""
        shown = {
            name: self.fields[name].to_representation(value)
            if (value := getattr(layer, name)) is not None
            else None
            for name in (
                "name",
                "first_on",
                "handover_at",
                "unit",
                "every",
                "until",
                "on_holidays",
            )
        }
        members = sorted(layer.members.all(), key=lambda member: member.position)
        shown["people"] = [member.person.username for member in members]
        shown["restrictions"] = RestrictionSerializer(layer.restrictions.all(), many=True).data
        return shown


class OverrideFeedSerializer(StrictFieldsMixin, serializers.Serializer[OverrideFeed]):
    """A calendar elsewhere whose events are overrides."""

    url = serializers.CharField(
        max_length=2000, write_only=True, help_text="https or webcal; never shown again."
    )
    read_at = serializers.DateTimeField(read_only=True, allow_null=True)
    good_at = serializers.DateTimeField(read_only=True, allow_null=True)
    problem = serializers.CharField(read_only=True)


class ScheduleSerializer(StrictFieldsMixin, serializers.ModelSerializer[Schedule]):
    """Who answers when."""

    team = serializers.SlugRelatedField(
        slug_field="slug", queryset=Team.objects.all(), required=False, allow_null=True
    )
    holidays = serializers.SlugRelatedField(
        slug_field="slug",
        queryset=HolidayCalendar.objects.all(),
        required=False,
        allow_null=True,
        help_text="A holiday calendar, for layers that hold on holidays only, or not then.",
    )
    layers = LayerSerializer(many=True, required=False)
    on_call_now = serializers.SerializerMethodField()

    class Meta:
        model = Schedule
        fields = [
            "slug",
            "name",
            "team",
            "timezone",
            "holidays",
            "description",
            "layers",
            "on_call_now",
        ]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_on_call_now(self, schedule: Schedule) -> str | None:
        """Return the username of whoever is on call; null where nobody is who is active."""
        known: dict[int, str | None] = getattr(self.context["view"], "on_call", {})
        if schedule.pk not in known:
            known = names_on_call([schedule])
        return known[schedule.pk]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Somebody who was deactivated stays until they are taken out; nobody such is put in."""
        held = LayerMember.objects.filter(layer__schedule=self.instance) if self.instance else ()
        known = {member.person_id for member in held}
        errors = {}
        for number, layer in enumerate(attrs.get("layers", ())):
            gone = [who for who in layer["people"] if not who.is_active and who.pk not in known]
            if gone:
                names = ", ".join(dict.fromkeys(person.username for person in gone))
                errors[f"layers[{number}].people"] = [f"No longer active: {names}."]
        if errors:
            raise serializers.ValidationError(errors)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Schedule:
        """Create through the service."""
        return self._save(Schedule(), validated_data)

    def update(self, instance: Schedule, validated_data: dict[str, Any]) -> Schedule:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, schedule: Schedule, fields: dict[str, Any]) -> Schedule:
        layers = fields.pop("layers", None)
        actor = acting(self.context["request"])
        saved = save_schedule(schedule, fields=fields, layers=layers, actor=actor, now=now())
        return Schedule.objects.with_rota().get(pk=saved.pk)


def names_on_call(schedules: Iterable[Schedule]) -> dict[int, str | None]:
    """Return the username of whoever is on call of each schedule now.

    None where nobody is, or where whoever it would be is no longer active: they are not called.
    """
    on_call = on_call_at(schedules, now())
    active = User.objects.filter(is_active=True)
    people = active.in_bulk({person for person in on_call.values() if person is not None})
    return {
        pk: people[person].username if person in people else None for pk, person in on_call.items()
    }


class ShiftSerializer(serializers.Serializer[Any]):
    """Somebody's time on call."""

    person = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    is_override = serializers.BooleanField()


class GapSerializer(serializers.Serializer[Any]):
    """Time in which nobody is on call."""

    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class OverlapSerializer(serializers.Serializer[Any]):
    """Time in which somebody is on call of another schedule too."""

    person = serializers.CharField()
    schedule = serializers.CharField(help_text="Slug of the other one.")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()


class RotaSerializer(serializers.Serializer[Any]):
    """The final schedule of a window."""

    shifts = ShiftSerializer(many=True)
    gaps = GapSerializer(many=True)
    overlaps = OverlapSerializer(many=True)


class CheckSerializer(serializers.Serializer[Any]):
    """One thing that makes it surer that somebody is woken."""

    name = serializers.CharField()
    points = serializers.IntegerField()
    is_met = serializers.BooleanField()
    advice = serializers.CharField()


class ReadinessSerializer(serializers.Serializer[Any]):
    """How surely a person is woken who is on call within the window."""

    person = serializers.CharField()
    score = serializers.IntegerField(help_text="0 to 100; 0 cannot be reached at all.")
    next_shift_at = serializers.DateTimeField()
    checks = CheckSerializer(many=True)


class ScheduleViewSet(viewsets.ModelViewSet[Schedule]):
    """Who answers when: layers, and who is on call now."""

    queryset = Schedule.objects.none()
    serializer_class = ScheduleSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "name"]

    def get_queryset(self) -> QuerySet[Schedule]:
        """All of them: who is on call is no secret inside."""
        rows = Schedule.objects.with_rota().select_related("team")
        return rows.prefetch_related("layers__members__person")

    def perform_destroy(self, instance: Schedule) -> None:
        """Delete through the service."""
        delete_schedule(instance, actor=acting(self.request), now=now())

    def paginate_queryset(self, queryset: Any) -> Any:
        """Look up who is on call for all rows of a page at once."""
        rows = super().paginate_queryset(queryset)
        self.on_call = names_on_call(rows or [])
        return rows

    @extend_schema(methods=["GET"], request=None, responses=OverrideFeedSerializer)
    @extend_schema(
        methods=["PUT"], request=OverrideFeedSerializer, responses=OverrideFeedSerializer
    )
    @extend_schema(methods=["DELETE"], request=None, responses={204: None})
    @action(detail=True, methods=["get", "put", "delete"], url_path="override-feed")
    def override_feed(self, request: Request, slug: str | None = None) -> Response:
        """Read, set or remove the calendar from which overrides come."""
        schedule, actor = self.get_object(), acting(request)
        if request.method == "PUT":
            said = OverrideFeedSerializer(data=request.data)
            said.is_valid(raise_exception=True)
            set_feed(schedule, said.validated_data["url"], actor=actor, now=now())
        if request.method == "DELETE":
            remove_feed(schedule, actor=actor, now=now())
            return Response(status=204)
        feed = OverrideFeed.objects.filter(schedule=schedule).first()
        if feed is None:
            raise NotFound("No calendar is followed.")
        return Response(OverrideFeedSerializer(feed).data)

    @extend_schema(
        responses=RotaSerializer,
        filters=False,
        parameters=[
            OpenApiParameter("from", str, description="ISO 8601; now unless given."),
            OpenApiParameter("to", str, description="ISO 8601; four weeks later unless given."),
        ],
    )
    @action(detail=True, pagination_class=None)
    def shifts(self, request: Request, slug: str | None = None) -> Response:
        """Read who is on call when, when nobody is, and who is on call of another schedule too."""
        refuse_unknown_parameters(request, {"from", "to"})
        refuse_blank(request, {"from", "to"})
        schedule = self.get_object()
        window = _window(request)
        found = shifts(schedule, window)
        names = _usernames({shift.person for shift in found})
        body = {
            "shifts": [_shown(shift, names) for shift in found],
            "gaps": [
                {"starts_at": span.start, "ends_at": span.end} for span in gaps(found, window)
            ],
            "overlaps": [
                {
                    "person": names.get(twice.person, ""),
                    "schedule": twice.schedule.slug,
                    "starts_at": twice.span.start,
                    "ends_at": twice.span.end,
                }
                for twice in overlaps_of(schedule, found, window)
            ],
        }
        return Response(RotaSerializer(body).data)

    @extend_schema(responses=ReadinessSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def readiness(self, request: Request, slug: str | None = None) -> Response:
        """Read how surely those are woken who are on call within four weeks, soonest first."""
        at = now()
        first: dict[int, datetime] = {}
        for shift in shifts(self.get_object(), Span(at, at + timedelta(days=28))):
            first.setdefault(shift.person, shift.span.start)
        names = _usernames(first)
        ready = readiness_of_people(first.keys(), now=at)
        rows = [
            {
                "person": names.get(person, ""),
                "score": ready[person].score,
                "next_shift_at": begins,
                "checks": ready[person].checks,
            }
            for person, begins in first.items()
        ]
        return Response(ReadinessSerializer(rows, many=True).data)


def _usernames(people: Iterable[int]) -> dict[int, str]:
    return dict(User.objects.filter(pk__in=people).values_list("pk", "username"))


def _shown(shift: Shift, names: dict[int, str]) -> dict[str, Any]:
    return {
        "person": names.get(shift.person, ""),
        "starts_at": shift.span.start,
        "ends_at": shift.span.end,
        "is_override": shift.layer is None,
    }


def _window(request: Request) -> Span:
    start = _instant(request, "from") or now()
    if not is_within_reach(start):
        raise InvalidInput(BEYOND, field="from")
    end = _instant(request, "to") or start + timedelta(days=28)
    if not start < end <= start + LONGEST_VIEW:
        raise InvalidInput("The window ends after it starts, within a year.", field="to")
    return Span(start, end)


def _instant(request: Request, name: str) -> datetime | None:
    given = request.query_params.get(name)
    if not given:
        return None
    try:
        at: datetime = serializers.DateTimeField().to_internal_value(given)
    except serializers.ValidationError as error:
        raise InvalidInput("Use an instant such as 2026-03-02T09:00:00Z.", field=name) from error
    return at


class OverrideSerializer(StrictFieldsMixin, serializers.ModelSerializer[Override]):
    """Somebody takes over for a while."""

    schedule = serializers.SlugRelatedField(slug_field="slug", queryset=Schedule.objects.all())
    person = serializers.SlugRelatedField(
        slug_field="username",
        queryset=User.objects.all(),
        allow_null=True,
        help_text="A username; null: nobody is on call.",
    )

    class Meta:
        model = Override
        fields = [
            "id",
            "schedule",
            "person",
            "starts_at",
            "ends_at",
            "reason",
            "created_by",
            "created_at",
        ]
        read_only_fields = ["created_by", "created_at"]

    def create(self, validated_data: dict[str, Any]) -> Override:
        """Create through the service."""
        return self._save(Override(), validated_data)

    def update(self, instance: Override, validated_data: dict[str, Any]) -> Override:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, override: Override, fields: dict[str, Any]) -> Override:
        actor = acting(self.context["request"])
        return save_override(override, fields=fields, actor=actor, now=now())


class OverrideFilter(FilterSet):
    """What lists are narrowed by, besides their fields."""

    ends_after = InstantFilter(field_name="ends_at", lookup_expr="gt")

    class Meta:
        model = Override
        fields: list[str] = []


class OverrideViewSet(viewsets.ModelViewSet[Override]):
    """Who takes over when; one that has begun is ended, not deleted."""

    queryset = Override.objects.select_related("schedule", "person")
    serializer_class = OverrideSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    filterset_class = OverrideFilter
    search_fields = ["reason"]

    def perform_destroy(self, instance: Override) -> None:
        """Take it back through the service."""
        delete_override(instance, actor=acting(self.request), now=now())
