"""Beat's entry into on-call."""

from celery import shared_task

from core.clock import now
from oncall.services import feeds


@shared_task(name="oncall.read_calendars", ignore_result=True, expires=60)
def read_calendars() -> None:
    """Beat tick: read the calendars from which overrides come."""
    feeds.follow_due(now=now())
