"""Who is on call, and who is called when they do not answer."""

from oncall.models.calendars import CalendarFeed, OverrideFeed
from oncall.models.handoffs import Handoff
from oncall.models.holidays import Holiday, HolidayCalendar
from oncall.models.policies import (
    EscalationPolicy,
    FallbackContact,
    LevelTarget,
    PolicyLevel,
    ServicePolicy,
    Timing,
)
from oncall.models.schedules import (
    Layer,
    LayerMember,
    LayerRestriction,
    Override,
    Schedule,
    ShiftSwap,
)

__all__ = [
    "CalendarFeed",
    "EscalationPolicy",
    "FallbackContact",
    "Handoff",
    "Holiday",
    "HolidayCalendar",
    "Layer",
    "LayerMember",
    "LayerRestriction",
    "LevelTarget",
    "Override",
    "OverrideFeed",
    "PolicyLevel",
    "Schedule",
    "ServicePolicy",
    "ShiftSwap",
    "Timing",
]
