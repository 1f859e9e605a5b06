"""Synthetic checks: when each is due, and what they found."""

from django.db import models

from slo.domain.probes import Outcome
from slo.models.sli import Sli


class ProbeSchedule(models.Model):
    """When a probe is due. The claim moves `next_at`, so that two workers never check twice."""

    sli = models.OneToOneField(Sli, on_delete=models.CASCADE, related_name="probe_schedule")
    next_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.sli_id} at {self.next_at:%Y-%m-%d %H:%M:%S}"


class ProbeResult(models.Model):
    """What one check found; kept for a week."""

    sli = models.ForeignKey(Sli, on_delete=models.CASCADE, related_name="probe_results")
    at = models.DateTimeField(help_text="When it was due.")
    outcome = models.CharField(max_length=8, choices=[(o.value, o.value) for o in Outcome])
    status = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.FloatField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["sli", "at"], name="slo_probe_once")]
        indexes = [models.Index(fields=["at"], name="slo_probe_result_age")]

    def __str__(self) -> str:
        return f"{self.sli_id} {self.at:%Y-%m-%d %H:%M:%S}: {self.outcome}"
