"""Calendars of holidays, which schedules and working hours follow."""

from django.core.exceptions import ValidationError
from django.db import models

from catalog.models import SLUG
from core.models import TimestampedModel
from oncall.domain.holidays import Days, problem_of


class HolidayCalendar(TimestampedModel):
    """The holidays of a place: those of its law, and one's own."""

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    country = models.CharField(
        max_length=2, blank=True, help_text="ISO code whose public holidays count, e.g. DE."
    )
    subdivision = models.CharField(
        "part of the country", max_length=20, blank=True, help_text="With laws of its own, e.g. BY."
    )

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse countries whose law nobody here knows."""
        self.country = self.country.upper()
        if problem := problem_of(self.country, self.subdivision):
            raise ValidationError({"subdivision" if self.subdivision else "country": problem})

    @property
    def dates(self) -> Days:
        """Its days, for arithmetic; prefetch `days`."""
        rows = self.days.all()
        return Days(
            self.country,
            self.subdivision,
            own={row.on: row.name for row in rows if not row.is_worked},
            worked=frozenset(row.on for row in rows if row.is_worked),
        )


class Holiday(models.Model):
    """A day that is a holiday besides those of the law, or is none in spite of it."""

    calendar = models.ForeignKey(
        HolidayCalendar, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    on = models.DateField()
    name = models.CharField(max_length=120, blank=True)
    is_worked = models.BooleanField(
        "worked", default=False, help_text="People work although it is a public holiday."
    )

    class Meta:
        ordering = ["calendar", "on"]
        constraints = [
            models.UniqueConstraint(fields=["calendar", "on"], name="oncall_holiday_once")
        ]

    def __str__(self) -> str:
        return f"{self.on} {self.name}".strip()
