"""How far SLIs of sources were fetched, and what is fetched again for the past."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from core.models import TimestampedModel
from slo.models.sli import Sli


class PullState(models.Model):
    """How far one SLI was fetched from its source, and since when its minutes are gaps."""

    sli = models.OneToOneField(Sli, on_delete=models.CASCADE, related_name="pull")
    complete_until = models.DateTimeField(help_text="Every minute before it was answered.")
    gap_since = models.DateTimeField(
        null=True, help_text="Start of the first minute of a gap that has not ended."
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why there is a gap.")
    insane_at = models.DateTimeField(
        null=True, help_text="Newest minute of which the source said what cannot be."
    )
    insane_reason = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"{self.sli_id} until {self.complete_until:%Y-%m-%d %H:%M}"


class BackfillJob(TimestampedModel):
    """Minutes of one SLI that are fetched from its source again, oldest first.

    `done_until` moves in the transaction that writes the slices before it, so a job goes on where
    it was, whatever process died.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    OPEN = (State.WAITING, State.RUNNING)

    sli = models.ForeignKey(Sli, on_delete=models.CASCADE, related_name="backfills")
    start_at = models.DateTimeField(help_text="Start of the first minute.")
    end_at = models.DateTimeField(help_text="End of the last minute.")
    done_until = models.DateTimeField(help_text="Everything before it is written.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Failures in a row; a chunk that is written sets it back."
    )
    next_at = models.DateTimeField(help_text="When it goes on; later while somebody works on it.")
    gaps = models.PositiveIntegerField(default=0, help_text="Minutes the source had no data of.")
    error = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["sli"],
                condition=Q(state__in=["waiting", "running"]),
                name="slo_backfill_one_open",
            ),
            models.CheckConstraint(
                name="slo_backfill_in_order",
                condition=Q(start_at__lt=F("end_at"))
                & Q(done_until__gte=F("start_at"))
                & Q(done_until__lte=F("end_at")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=Q(state__in=["waiting", "running"]),
                name="slo_backfill_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.sli_id}: {self.state}"

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.state in self.OPEN

    @property
    def minutes(self) -> int:
        """Minutes asked for."""
        return int((self.end_at - self.start_at).total_seconds() // 60)

    @property
    def minutes_done(self) -> int:
        """Minutes written, gaps included."""
        return int((self.done_until - self.start_at).total_seconds() // 60)
