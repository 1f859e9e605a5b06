"""Shifts as an iCalendar document (RFC 5545)."""

from datetime import datetime, timedelta

from django.conf import settings
from icalendar import Calendar, Event

from accounts.models import User
from oncall.domain.spans import Span
from oncall.models import CalendarFeed, Schedule
from oncall.queries.rotas import whole_shifts_of

__all__ = ["calendar_of"]

BEFORE, AFTER = timedelta(days=30), timedelta(days=120)


def calendar_of(feed: CalendarFeed, *, now: datetime) -> bytes:
    """Return the shifts that a calendar shows, from a month ago to four months ahead.

    An event keeps its identity as long as its schedule, person and beginning stay the same. What is
    shown changes with the day, not with each look.
    """
    rows = Schedule.objects.with_rota()
    if feed.schedule_id is not None:
        rows = rows.filter(pk=feed.schedule_id)
    schedules = {schedule.pk: schedule for schedule in rows}
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = whole_shifts_of(schedules.values(), Span(today - BEFORE, today + AFTER))
    people = User.objects.in_bulk({shift.person for held in found.values() for shift in held})
    calendar = Calendar()
    calendar.add("prodid", "-//sreportal//on call//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"On call: {feed}")
    calendar.add("refresh-interval;value=duration", "PT1H")
    for pk, held in found.items():
        for shift in held:
            if feed.schedule_id is None and shift.person != feed.person_id:
                continue
            person = people.get(shift.person)
            calendar.add_component(_event(schedules[pk], person, shift.span, now))
    body: bytes = calendar.to_ical()
    return body


def _event(schedule: Schedule, person: User | None, span: Span, now: datetime) -> Event:
    name = person.username if person else "somebody"
    event = Event()
    event.add("uid", f"{schedule.slug}-{name}-{span.start:%Y%m%dT%H%M%SZ}@sreportal")
    event.add("dtstamp", now)
    event.add("dtstart", span.start)
    event.add("dtend", span.end)
    event.add("summary", f"{person or 'Somebody'} on call: {schedule.name}")
    event.add("url", f"{settings.PORTAL_URL}{schedule.get_absolute_url()}")
    return event
