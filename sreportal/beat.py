"""The scheduler: django-celery-beat's, leaving a sign of life."""

import time

from django_celery_beat.schedulers import DatabaseScheduler

from core.process import HEARTBEAT_S, sign_of_life


class PortalScheduler(DatabaseScheduler):
    """Reads the schedule from the database; its heartbeat says that it still ticks."""

    _beat_at = float("-inf")

    def tick(self, *args: object, **kwargs: object) -> float:
        """Send what is due, and every 15 seconds leave a sign of life."""
        wait_s: float = super().tick(*args, **kwargs)
        if time.monotonic() - self._beat_at >= HEARTBEAT_S:
            self._beat_at = time.monotonic()
            sign_of_life("beat")
        return wait_s
