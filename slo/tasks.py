"""Beat's entry into the SLO engine."""

from celery import shared_task

from core.clock import now
from slo.services import (
    backfills,
    breakers,
    evaluation,
    input_checks,
    probing,
    pulling,
    retention,
    rules,
)


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
    probing.purge(now=now())


@shared_task(name="slo.pull", ignore_result=True, expires=30)
def pull() -> None:
    """Beat tick: ask every source for the minutes that closed since it was asked last."""
    pulling.tick(now=now())


@shared_task(name="slo.probe", ignore_result=True, expires=10)
def probe() -> None:
    """Beat tick: make the synthetic checks that are due."""
    probing.tick(now=now())


@shared_task(name="slo.backfill", ignore_result=True, expires=30)
def backfill() -> None:
    """Beat tick: go on with the backfills that are open."""
    backfills.tick(now=now())


@shared_task(name="slo.check_breakers", ignore_result=True, expires=15)
def check_breakers() -> None:
    """Beat tick: alert about circuit breakers that are open."""
    breakers.check_breakers(now=now())


@shared_task(name="slo.check_inputs", ignore_result=True, expires=300)
def check_inputs() -> None:
    """Beat tick: say which SLIs are fed with what hardly can be."""
    input_checks.check(now=now())
