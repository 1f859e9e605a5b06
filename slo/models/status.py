"""What is known of each objective now."""

from decimal import Decimal

from django.db import models

from slo.domain.state import State
from slo.models.objective import Slo


class SloStatus(models.Model):
    """The newest figures of an SLO, each with the counts it comes from."""

    slo = models.OneToOneField(Slo, on_delete=models.CASCADE, related_name="status")
    watermark = models.DateTimeField(help_text="End of the window: all before it was counted.")
    evaluated_at = models.DateTimeField()
    window_start = models.DateTimeField()
    good = models.BigIntegerField()
    total = models.BigIntegerField()
    measured_minutes = models.PositiveIntegerField()
    expected_minutes = models.PositiveIntegerField()
    allowed = models.DecimalField(
        max_digits=30, decimal_places=9, help_text="Bad events the objectives allow in the window."
    )
    burn = models.JSONField(
        default=dict, help_text="Per burn window: good, total, measured, and the rate or null."
    )
    state = models.CharField(max_length=10, choices=[(s.value, s.value) for s in State])
    state_since = models.DateTimeField()

    class Meta:
        verbose_name_plural = "SLO statuses"
        indexes = [models.Index(fields=["state"], name="slo_status_state")]

    def __str__(self) -> str:
        return f"{self.slo_id}: {self.state}"

    @property
    def bad(self) -> int:
        """Bad events in the window."""
        return self.total - self.good

    @property
    def sli(self) -> float | None:
        """Share of good events; None without events."""
        return self.good / self.total if self.total else None

    @property
    def budget_remaining(self) -> float | None:
        """Share of the budget left, signed; None without events."""
        return float(1 - Decimal(self.bad) / self.allowed) if self.allowed else None

    @property
    def coverage(self) -> float | None:
        """Share of expected minutes that were measured; None when none were expected."""
        return self.measured_minutes / self.expected_minutes if self.expected_minutes else None

    @property
    def budget_used(self) -> float | None:
        """Share of the budget spent, above 1 when overspent; None without events."""
        left = self.budget_remaining
        return None if left is None else 1 - left

    def burn_rate(self, window: str) -> float | None:
        """Return the burn rate of one of the burn windows, None without events in it."""
        rate: float | None = self.burn.get(window, {}).get("rate")
        return rate

    @property
    def burn_1h(self) -> float | None:
        """Burn rate of the last hour."""
        return self.burn_rate("1h")
