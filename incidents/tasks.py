"""Beat's entry into alerts."""

from celery import shared_task

from core.clock import now
from incidents.services import heartbeats


@shared_task(name="incidents.check_heartbeats", ignore_result=True, expires=15)
def check_heartbeats() -> None:
    """Beat tick: alert about what should have given a sign of life by now."""
    heartbeats.check(now=now())
