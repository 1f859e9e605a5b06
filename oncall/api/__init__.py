"""REST resources of who is on call and who is called."""

from rest_framework.routers import SimpleRouter

from oncall.api.fallbacks import FallbackContactViewSet
from oncall.api.handoffs import HandoffViewSet
from oncall.api.holidays import HolidayCalendarViewSet
from oncall.api.policies import EscalationPolicyViewSet
from oncall.api.schedules import OverrideViewSet, ScheduleViewSet
from oncall.api.swaps import CalendarViewSet, SwapViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("calendars", CalendarViewSet, basename="calendar")
    router.register("fallback-contacts", FallbackContactViewSet, basename="fallback-contact")
    router.register("handoffs", HandoffViewSet, basename="handoff")
    router.register("holiday-calendars", HolidayCalendarViewSet, basename="holiday-calendar")
    router.register("overrides", OverrideViewSet, basename="override")
    router.register("policies", EscalationPolicyViewSet, basename="policy")
    router.register("schedules", ScheduleViewSet, basename="schedule")
    router.register("swaps", SwapViewSet, basename="swap")
