"""The portal's own sign of life as a receiver."""

from datetime import datetime

from core.clock import floor_minute
from telemetry.models import ReceiverMinute


def mark_alive(*, now: datetime) -> None:
    """Note that the portal could receive in this minute; called by every web process each minute.

    Without the note a quiet minute is a gap: the silence may have been ours.
    """
    ReceiverMinute.objects.bulk_create(
        [ReceiverMinute(minute=floor_minute(now))], ignore_conflicts=True
    )
