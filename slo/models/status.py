"""What is known of objectives: the figures of each minute, each one's state, and how it changed."""

from django.db import models

from slo.domain.figures import Round as Figures
from slo.domain.state import State
from slo.models.objective import Slo

STATES = [(state.value, state.value) for state in State]


class Round(models.Model):
    """The figures of all SLOs at one watermark, packed (`slo.domain.figures`)."""

    watermark = models.DateTimeField(unique=True, help_text="All before it was counted.")
    evaluated_at = models.DateTimeField(db_index=True)
    data = models.BinaryField()

    class Meta:
        ordering = ["-watermark"]

    def __str__(self) -> str:
        return f"{self.watermark:%Y-%m-%d %H:%M}"

    def figures(self) -> Figures:
        """Return what is packed in it."""
        return Figures.unpack(self.watermark, bytes(self.data))


class SloStatus(models.Model):
    """The state of an SLO after its last evaluation; its figures are in the newest round."""

    slo = models.OneToOneField(Slo, on_delete=models.CASCADE, related_name="standing")
    state = models.CharField(max_length=10, choices=STATES)
    state_since = models.DateTimeField()

    class Meta:
        verbose_name_plural = "SLO statuses"
        indexes = [models.Index(fields=["state"], name="slo_status_state")]

    def __str__(self) -> str:
        return f"{self.slo_id}: {self.state}"


class StateChange(models.Model):
    """One change of an SLO's state, with the figures that decided it. Never changed."""

    slo = models.ForeignKey(Slo, on_delete=models.CASCADE, related_name="state_changes")
    at = models.DateTimeField(help_text="Watermark of the minute that decided.")
    before = models.CharField(max_length=10, choices=STATES)
    after = models.CharField(max_length=10, choices=STATES)
    window = models.CharField(
        max_length=3, blank=True, help_text="Long window of the burn alert that held; empty: none."
    )
    figures = models.JSONField(default=dict, help_text="Counts and what was left of the budget.")

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["slo", "-at"], name="slo_state_change_by_slo")]

    def __str__(self) -> str:
        return f"{self.slo_id}: {self.before} → {self.after}"
