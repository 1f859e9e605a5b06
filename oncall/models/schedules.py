"""Schedules: layers of rotations, and the overrides above them."""

from collections.abc import Container
from datetime import date, time
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from catalog.models import SLUG, Team
from core.models import TimestampedModel
from core.zones import zone_names
from oncall.domain import rotations, schedules
from oncall.domain.holidays import Days
from oncall.domain.spans import Span
from oncall.models.holidays import HolidayCalendar

# Turns are counted from as long ago as anybody does it, and to where a week more is still a date.
YEARS = range(1900, 2100)
# Addresses below /oncall/ that are no schedules.
PAGES = frozenset({"policies", "calendar", "calendars", "swaps", "new", "check"})
HOLIDAY_RULES = [
    (rotations.HolidayRule.AS_USUAL.value, "As on any day"),
    (rotations.HolidayRule.NEVER.value, "Not on holidays"),
    (rotations.HolidayRule.ONLY.value, "On holidays only"),
]
UNITS = [(str(unit), unit.capitalize()) for unit in rotations.Unit]


def known_zone(name: str) -> None:
    """Refuse names that are no time zone."""
    if name not in zone_names():
        raise ValidationError("Use an IANA time zone, e.g. Europe/London.")


def not_a_page(slug: str) -> None:
    """Refuse slugs whose page would be another page."""
    if slug in PAGES:
        raise ValidationError("That is a page of the portal; choose another.")


def weekday_list(value: object) -> None:
    """Refuse what is no list of weekdays."""
    days = value if isinstance(value, list) else []
    if not days or any(type(day) is not int or not 0 <= day <= 6 for day in days):
        raise ValidationError("Use a list of weekdays, Monday is 0, e.g. [0, 1, 2, 3, 4].")


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Reads of schedules."""

    def with_rota(self) -> Self:
        """Load all that says who is on call, in a fixed number of queries."""
        return self.select_related("holidays").prefetch_related(
            "layers__members", "layers__restrictions", "holidays__days"
        )


class Schedule(TimestampedModel):
    """Who answers when: layers on top of each other, and overrides above them."""

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG, not_a_page])
    name = models.CharField(max_length=120)
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="schedules"
    )
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[known_zone],
        help_text="In which handovers and restrictions are read, e.g. Europe/London.",
    )
    holidays = models.ForeignKey(
        HolidayCalendar,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="schedules",
        help_text="For layers that hold on holidays only, or not then.",
    )
    description = models.TextField(blank=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return its page."""
        return reverse("oncall:schedule", args=[self.slug])

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.timezone)

    @property
    def days_off(self) -> Days:
        """Its holidays; none without a calendar."""
        return self.holidays.dates if self.holidays is not None else Days()


class Layer(TimestampedModel):
    """A rotation of a schedule; of two layers that hold, the one with the higher position wins."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="layers")
    position = models.PositiveSmallIntegerField(default=0, help_text="Higher stands above lower.")
    name = models.CharField(max_length=120)
    first_on = models.DateField("first handover on", help_text="Before it nobody is on call.")
    handover_at = models.TimeField("handover at", default=time(9))
    unit = models.CharField(max_length=8, choices=UNITS, default=rotations.Unit.WEEKS)
    every = models.PositiveSmallIntegerField(default=1, help_text="How many of the unit a turn is.")
    until = models.DateTimeField(null=True, blank=True, help_text="After it nobody is on call.")
    on_holidays = models.CharField(
        max_length=8,
        choices=HOLIDAY_RULES,
        default=rotations.HolidayRule.AS_USUAL,
        help_text="By the holidays of the schedule.",
    )

    class Meta:
        ordering = ["schedule", "position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "position"], name="oncall_layer_position")
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a turn that no rotation can have, and a beginning that calendars do not reach."""
        if self.first_on is not None and self.first_on.year not in YEARS:
            message = f"Use a date of the years {YEARS[0]} to {YEARS[-1]}."
            raise ValidationError({"first_on": message})
        try:
            self.rota(ZoneInfo("UTC"), people=())
        except ValueError as error:
            raise ValidationError({"every": str(error).capitalize() + "."}) from error

    def rota(
        self,
        zone: ZoneInfo,
        people: tuple[int, ...] | None = None,
        holidays: Container[date] = frozenset(),
    ) -> rotations.Layer:
        """Return the layer for arithmetic; people are ids of users."""
        if people is None:
            members = sorted(self.members.all(), key=lambda member: member.position)
            people = tuple(member.person_id for member in members)
        rules = self.restrictions.all() if self.pk else ()
        return rotations.Layer(
            people=people,
            zone=zone,
            first=self.first_on,
            handover=self.handover_at,
            unit=rotations.Unit(self.unit),
            every=self.every,
            restrictions=tuple(rule.hours for rule in rules),
            until=self.until,
            holidays=holidays,
            on_holidays=rotations.HolidayRule(self.on_holidays),
        )


class LayerMember(models.Model):
    """One turn's person; a person may come more than once."""

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="members")
    position = models.PositiveSmallIntegerField()
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="rotations"
    )

    class Meta:
        ordering = ["layer", "position"]
        constraints = [
            models.UniqueConstraint(fields=["layer", "position"], name="oncall_member_position")
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.person_id}"


class LayerRestriction(models.Model):
    """Hours at which a layer holds; without any it always does."""

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="restrictions")
    begins = models.TimeField(default=time(9))
    ends = models.TimeField(
        default=time(17), help_text="On the next day when it is not after; the same is a whole day."
    )
    weekdays = models.JSONField(default=list, validators=[weekday_list])

    class Meta:
        ordering = ["layer", "begins", "pk"]

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}–{self.ends:%H:%M}"

    @property
    def hours(self) -> rotations.Restriction:
        """The same for arithmetic."""
        return rotations.Restriction(self.begins, self.ends, frozenset(self.weekdays))


class Override(TimestampedModel):
    """Somebody takes over for a while, whoever it would have been; the newer one wins."""

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="overrides")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="overrides",
        help_text="Empty: nobody is on call.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=200, editable=False)
    feed_uid = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Of the calendar event it came from."
    )

    class Meta:
        ordering = ["schedule", "starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="oncall_override_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="An override ends after it starts.",
            )
        ]
        indexes = [models.Index(fields=["schedule", "ends_at"], name="oncall_override_lookup")]

    def __str__(self) -> str:
        return f"{self.starts_at:%Y-%m-%d %H:%M} {self.person_id or 'nobody'}"

    @property
    def for_rota(self) -> schedules.Override:
        """The same for arithmetic."""
        return schedules.Override(Span(self.starts_at, self.ends_at), self.person_id)


class ShiftSwap(TimestampedModel):
    """Somebody asks to be replaced; whoever accepts gets an override."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked"
        ACCEPTED = "accepted", "Accepted"
        WITHDRAWN = "withdrawn", "Withdrawn"

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="swaps")
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="swaps_asked"
    )
    offered_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="swaps_offered",
        help_text="Empty: anybody who responds.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ASKED)
    override = models.OneToOneField(
        Override, null=True, blank=True, on_delete=models.SET_NULL, related_name="swap"
    )

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="oncall_swap_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="A swap ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.asked_by_id} {self.starts_at:%Y-%m-%d %H:%M}"
