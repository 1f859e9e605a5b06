"""Core's scheduled work."""

from datetime import timedelta

from celery import shared_task
from django.contrib.sessions.models import Session

from core.clock import now
from core.idempotency import forget_answers
from core.models import ProcessHeartbeat
from core.process import sign_of_life

FORGET_INSTANCES_AFTER = timedelta(days=1)


@shared_task(name="core.worker_heartbeat", ignore_result=True)
def worker_heartbeat() -> None:
    """Beat tick, every 15 s: proves the whole way from beat through the broker to a worker."""
    if sign_of_life("worker"):
        forget_answers()
        ProcessHeartbeat.objects.filter(at__lt=now() - FORGET_INSTANCES_AFTER).delete()
        Session.objects.filter(expire_date__lt=now()).delete()
