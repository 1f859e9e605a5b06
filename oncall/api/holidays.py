"""`/api/v1/holiday-calendars/`: the holidays that schedules and working hours follow."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import acting
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from core.errors import InvalidInput
from core.listing import refuse_blank, refuse_unknown_parameters
from core.reach import day_asked_for
from oncall.models import Holiday, HolidayCalendar
from oncall.services.holidays import delete_calendar, save_calendar

LONGEST = timedelta(days=3 * 366)


class HolidaySerializer(StrictFieldsMixin, serializers.ModelSerializer[Holiday]):
    """A day besides those of the law, or one of the law that is worked."""

    class Meta:
        model = Holiday
        fields = ["on", "name", "is_worked"]


class HolidayCalendarSerializer(StrictFieldsMixin, serializers.ModelSerializer[HolidayCalendar]):
    """The holidays of a place."""

    days = HolidaySerializer(many=True, required=False)

    class Meta:
        model = HolidayCalendar
        fields = ["slug", "name", "country", "subdivision", "days"]

    def create(self, validated_data: dict[str, Any]) -> HolidayCalendar:
        """Create through the service."""
        return self._save(HolidayCalendar(), validated_data)

    def update(self, instance: HolidayCalendar, validated_data: dict[str, Any]) -> HolidayCalendar:
        """Change through the service."""
        return self._save(instance, validated_data)

    def _save(self, calendar: HolidayCalendar, fields: dict[str, Any]) -> HolidayCalendar:
        days = fields.pop("days", None)
        actor = acting(self.context["request"])
        saved = save_calendar(calendar, fields=fields, days=days, actor=actor, now=now())
        return HolidayCalendar.objects.prefetch_related("days").get(pk=saved.pk)


class DayOffSerializer(serializers.Serializer[Any]):
    """A holiday, whoever made it one."""

    on = serializers.DateField()
    name = serializers.CharField()


class HolidayCalendarViewSet(viewsets.ModelViewSet[HolidayCalendar]):
    """The holidays of a place: those of its law, and one's own."""

    queryset = HolidayCalendar.objects.prefetch_related("days")
    serializer_class = HolidayCalendarSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "name"]

    def perform_destroy(self, instance: HolidayCalendar) -> None:
        """Delete through the service."""
        delete_calendar(instance, actor=acting(self.request), now=now())

    @extend_schema(
        responses=DayOffSerializer(many=True),
        filters=False,
        parameters=[
            OpenApiParameter("from", str, description="A date; today unless given."),
            OpenApiParameter("to", str, description="A date; a year later unless given."),
        ],
    )
    @action(detail=True, pagination_class=None)
    def holidays(self, request: Request, slug: str | None = None) -> Response:
        """Read all holidays between two days, both included."""
        refuse_unknown_parameters(request, {"from", "to"})
        refuse_blank(request, {"from", "to"})
        calendar = self.get_object()
        first = day_asked_for(request.query_params, "from") or now().date()
        last = day_asked_for(request.query_params, "to") or first + timedelta(days=365)
        if not first <= last <= first + LONGEST:
            raise InvalidInput("The last day follows the first, within three years.", field="to")
        found = [{"on": day, "name": name} for day, name in calendar.dates.between(first, last)]
        return Response(DayOffSerializer(found, many=True).data)
