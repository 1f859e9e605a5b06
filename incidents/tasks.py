"""Beat's entry into alerts and incidents."""

from celery import shared_task

from core.clock import now
from incidents.services import channels, heartbeats, retention


@shared_task(name="incidents.check_heartbeats", ignore_result=True, expires=15)
def check_heartbeats() -> None:
    """Beat tick: alert about what should have given a sign of life by now."""
    heartbeats.check(now=now())


@shared_task(name="incidents.open_channels", ignore_result=True, expires=15)
def open_channels() -> None:
    """Beat tick: open the Slack channels that serious incidents still lack, and invite who was called."""
    channels.invite_due(now=now())
    channels.open_due(now=now())


@shared_task(name="incidents.forget_requests", ignore_result=True)
def forget_requests() -> None:
    """Beat tick: forget requests of senders that are older than what is kept."""
    retention.forget_requests(now=now())
