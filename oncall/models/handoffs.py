"""Handoffs: what whoever goes tells whoever comes, and that both have seen it."""

import hashlib

from django.conf import settings
from django.db import models

from oncall.models.schedules import Schedule


class Handoff(models.Model):
    """One change of the person on call of one schedule; made when the first of them signs."""

    schedule = models.ForeignKey(
        Schedule, on_delete=models.CASCADE, related_name="handoffs", db_index=False
    )
    at = models.DateTimeField(help_text="When one went and the other came.")
    outgoing = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="handoffs_given",
    )
    incoming = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="handoffs_taken",
    )
    notes = models.TextField(blank=True, help_text="What whoever comes must know.")
    given_at = models.DateTimeField(null=True, blank=True, help_text="Signed by who went.")
    given_by = models.CharField(max_length=200, blank=True)
    taken_at = models.DateTimeField(null=True, blank=True, help_text="Signed by who came.")
    taken_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "at"], name="oncall_handoff_once")
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.at:%Y-%m-%d %H:%M}"

    @property
    def edition(self) -> str:
        """Tells these notes from what stood there before, or stands there after."""
        return hashlib.sha256(self.notes.encode()).hexdigest()[:16]
