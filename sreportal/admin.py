"""What the admin shows of packages whose own pages are not enough."""

import django_celery_beat.admin
from celery.schedules import ParseException
from django.contrib import admin
from django_celery_beat.models import CrontabSchedule

admin.site.unregister(CrontabSchedule)


@admin.register(CrontabSchedule)
class CrontabAdmin(django_celery_beat.admin.ScheduleAdmin):
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
