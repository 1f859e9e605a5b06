"""Publishing circuit breakers: each process says every few seconds how its own stand."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from core.clock import floor_minute
from telemetry.models import BreakerMinute, CircuitBreakerState

FORGET_AFTER = timedelta(hours=1)


@transaction.atomic
def publish(
    states: Mapping[str, Mapping[str, Any]], *, service: str, instance: str, now: datetime
) -> None:
    """Store how the breakers of one process stand; rows of processes long gone are dropped.

    What failed or was slow since the process last spoke is added to the minute of `now`.

    Args:
        states: By breaker name: state, failure_rate, calls, failed_total, slow_total, since
            (aware datetime or None).
        service: Slug of the service that owns them.
        instance: The process.
        now: When they stood so.
    """
    rows = [
        CircuitBreakerState(
            service=service,
            name=name[:200],
            instance=instance,
            state=state["state"],
            failure_rate=state["failure_rate"],
            calls=state["calls"],
            failed_total=state["failed_total"],
            slow_total=state["slow_total"],
            since=state["since"],
            reported_at=now,
        )
        for name, state in states.items()
    ]
    _count_since_last_word(rows, service=service, instance=instance, now=now)
    CircuitBreakerState.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["service", "name", "instance"],
        update_fields=[
            "state",
            "failure_rate",
            "calls",
            "failed_total",
            "slow_total",
            "since",
            "reported_at",
        ],
    )
    CircuitBreakerState.objects.filter(reported_at__lt=now - FORGET_AFTER).delete()


def _count_since_last_word(
    rows: Sequence[CircuitBreakerState], *, service: str, instance: str, now: datetime
) -> None:
    known = CircuitBreakerState.objects.filter(service=service, instance=instance)
    before = {
        name: (failed, slow)
        for name, failed, slow in known.values_list("name", "failed_total", "slow_total")
    }
    for row in rows:
        failed, slow = before.get(row.name, (0, 0))
        newly_failed = max(0, row.failed_total - failed)
        newly_slow = max(0, row.slow_total - slow)
        if newly_failed or newly_slow:
            counted, _ = BreakerMinute.objects.get_or_create(
                service=service,
                name=row.name,
                minute=floor_minute(now),
                defaults={"failed": 0, "slow": 0},
            )
            BreakerMinute.objects.filter(pk=counted.pk).update(
                failed=F("failed") + newly_failed, slow=F("slow") + newly_slow
            )
