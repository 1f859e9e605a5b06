"""Beat's entry into reading AWS."""

from celery import shared_task

from capacity.services import reading
from core.clock import now


# A dead endpoint costs its time-outs once a region and AWS service: longer than tasks usually take.
@shared_task(name="capacity.read", ignore_result=True, expires=300, time_limit=240)
def read() -> None:
    """Beat tick, every 5 minutes: ask AWS how full each service is."""
    reading.read_capacity(now=now())
