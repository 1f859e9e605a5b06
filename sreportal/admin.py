"""What the admin shows of packages whose own pages are not enough."""

import json
from typing import Any

import django_celery_beat.admin as of_package
from celery.schedules import ParseException
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.http import HttpRequest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from core.admin import AuditedAdmin

# Sunrise needs a package that is not installed: the scheduler could not read its own rows.
admin.site.unregister(
    [ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule]
)


@admin.register(ClockedSchedule)
class ClockedAdmin(AuditedAdmin, of_package.ClockedScheduleAdmin):
    """Single moments at which tasks run."""


@admin.register(IntervalSchedule)
class IntervalAdmin(AuditedAdmin, of_package.IntervalScheduleAdmin):
    """How often tasks run."""


@admin.register(CrontabSchedule)
class CrontabAdmin(AuditedAdmin, of_package.ScheduleAdmin):
    """Times of day at which tasks run; one that cannot be read is shown to be mended."""

    list_display = ["__str__", "in_words"]
    fields = [
        "in_words", "minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone",
    ]  # fmt: skip
    readonly_fields = ["in_words"]

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        """Leave out the hidden copy of a field's default: a zone is looked up in it by file name."""
        return super().formfield_for_dbfield(
            db_field, request, **{**kwargs, "show_hidden_initial": False}
        )

    @admin.display(description="in words")
    def in_words(self, schedule: CrontabSchedule) -> str:
        """Return when it runs."""
        try:
            return str(schedule.human_readable)
        except (ParseException, ValueError):
            return "–"


class TaskForm(of_package.PeriodicTaskForm):
    """A row of the schedule that the scheduler can read."""

    def clean(self) -> dict[str, Any]:
        """Judge the whole also where the name of the task is none."""
        self.cleaned_data.setdefault("task", "")
        said: dict[str, Any] = super().clean()
        return said

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
class TaskAdmin(AuditedAdmin, of_package.PeriodicTaskAdmin):
    """What the scheduler starts, and how often."""

    form = TaskForm
    fieldsets = [
        (name, {**shown, "fields": [field for field in shown["fields"] if field != "solar"]})  # type: ignore[typeddict-item]
        for name, shown in of_package.PeriodicTaskAdmin.fieldsets
    ]
