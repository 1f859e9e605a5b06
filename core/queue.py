"""Waking a task by its name, so that no app imports another's tasks."""

import structlog
from celery import current_app  # noqa: TID251 the one place
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def enqueue(task_name: str, *args: int | str) -> bool:
    """Send a hint that there is work; the row is the work, so a lost hint costs only time.

    Args:
        task_name: Registered name, e.g. `slo.evaluate`.
        args: Ids only.

    Returns:
        False when the broker could not be reached; the next tick finds the row.
    """
    try:
        current_app.send_task(task_name, args=args, expires=60)
    except (OperationalError, OSError) as error:
        log.warning("broker_unreachable", task=task_name, error=type(error).__name__)
        return False
    return True
