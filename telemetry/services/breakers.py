"""Publishing circuit breakers: each process says every few seconds how its own stand."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from telemetry.models import CircuitBreakerState

FORGET_AFTER = timedelta(hours=1)


def publish(
    states: Mapping[str, Mapping[str, Any]], *, service: str, instance: str, now: datetime
) -> None:
    """Store how the breakers of one process stand; rows of processes long gone are dropped.

    Args:
        states: By breaker name: state, failure_rate, calls, since (aware datetime or None).
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
            since=state["since"],
            reported_at=now,
        )
        for name, state in states.items()
    ]
    CircuitBreakerState.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["service", "name", "instance"],
        update_fields=["state", "failure_rate", "calls", "since", "reported_at"],
    )
    CircuitBreakerState.objects.filter(reported_at__lt=now - FORGET_AFTER).delete()
