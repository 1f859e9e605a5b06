"""What the admin shows of packages whose own pages are not enough."""

import json

import django_celery_beat.admin as of_package
from celery.schedules import ParseException
from django.contrib import admin
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule, PeriodicTask, SolarSchedule

# Sunrise needs a package that is not installed: the scheduler could not read its own rows.
admin.site.unregister([CrontabSchedule, PeriodicTask, SolarSchedule])


@admin.register(CrontabSchedule)
class CrontabAdmin(of_package.ScheduleAdmin):
    """Times of day at which tasks run; one that cannot be read is shown to be mended."""

    list_display = ["__str__", "in_words"]
    fields = [
        "in_words", "minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone",
    ]  # fmt: skip
    readonly_fields = ["in_words"]

    @admin.display(description="in words")
    def in_words(self, schedule: CrontabSchedule) -> str:
        """Return when it runs."""
        try:
            return str(schedule.human_readable)
        except (ParseException, ValueError):
            return "–"


class TaskForm(of_package.PeriodicTaskForm):
    """A row of the schedule that the scheduler can read."""

    def clean_args(self) -> str:
        """Return a JSON list."""
        return self._shaped("args", list, "[1, 2]")

    def clean_kwargs(self) -> str:
        """Return a JSON object."""
        return self._shaped("kwargs", dict, '{"name": 1}')

    def clean_headers(self) -> str:
        """Return a JSON object."""
        return self._shaped("headers", dict, '{"name": 1}')

    def _shaped(self, name: str, kind: type, example: str) -> str:
        text: str = self._clean_json(name)
        if not isinstance(json.loads(text), kind):
            raise ValidationError(f"Write it like {example}.")
        return text


@admin.register(PeriodicTask)
class TaskAdmin(of_package.PeriodicTaskAdmin):
    """What the scheduler starts, and how often."""

    form = TaskForm
    fieldsets = [
        (name, {**shown, "fields": [field for field in shown["fields"] if field != "solar"]})
        for name, shown in of_package.PeriodicTaskAdmin.fieldsets
    ]
