"""Beat's entry into the SLO engine."""

from celery import shared_task

from core.clock import now
from slo.services import evaluation


@shared_task(name="slo.evaluate", ignore_result=True, expires=60)
def evaluate() -> None:
    """Beat tick: evaluate every closed minute that was not evaluated yet."""
    evaluation.tick(now=now())
