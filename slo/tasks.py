"""Beat's entry into the SLO engine."""

from celery import shared_task

from core.clock import now
from slo.services import evaluation, retention, rules


@shared_task(name="slo.evaluate", ignore_result=True, expires=60)
def evaluate() -> None:
    """Beat tick: evaluate every closed minute not evaluated yet, and the rules for the newest."""
    at = now()
    done = evaluation.tick(now=at)
    if done.slots:
        rules.evaluate(end=done.slots[-1] + evaluation.MINUTE, now=at)


@shared_task(name="slo.purge", ignore_result=True, expires=3600)
def purge() -> None:
    """Beat tick: forget slices and rounds that are finer than what is kept."""
    retention.purge(now=now())
