"""The scheduler: django-celery-beat's, leaving a sign of life."""

import time

import structlog
from celery import Celery
from django.db import DatabaseError, InterfaceError, connections
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from core.process import HEARTBEAT_S, sign_of_life

log = structlog.get_logger(__name__)
DOWN = (DatabaseError, InterfaceError)
AGAIN_AFTER_S = 1.0


class CarefulEntry(ModelEntry):
    """One row of the schedule."""

    def __init__(self, model: PeriodicTask, app: Celery | None = None) -> None:
        try:
            super().__init__(model, app=app)
        except Exception as error:
            log.exception("schedule_row_left_out", row=model.name)
            # Rows that raise this are left out; anything else would end the scheduler.
            raise ValueError(model.name) from error


class PortalScheduler(DatabaseScheduler):
    """Reads the schedule from the database; its heartbeat says that it still ticks."""

    Entry = CarefulEntry
    _beat_at = float("-inf")

    def tick(self, *args: object, **kwargs: object) -> float:
        """Send what is due, and every 15 seconds leave a sign of life; outlives its database."""
        try:
            wait_s: float = super().tick(*args, **kwargs)
        except DOWN as error:
            log.warning("beat_waits_for_the_database", error=type(error).__name__)
            connections.close_all()
            return AGAIN_AFTER_S
        if time.monotonic() - self._beat_at >= HEARTBEAT_S:
            self._beat_at = time.monotonic()
            sign_of_life("beat")
        return wait_s
