"""What happened to a service: deploys, incidents, chaos runs, notes."""

from django.db import models
from django.db.models import F, Q

from catalog.models import Service
from core.models import TimestampedModel
from slo.domain.ledger import Cause


class Annotation(TimestampedModel):
    """Something on a service's time line that may explain its budget."""

    KINDS = [
        (Cause.INCIDENT.value, "Incident"),
        (Cause.CHAOS.value, "Chaos run"),
        (Cause.DEPLOY.value, "Deploy"),
        (Cause.NOTE.value, "Note"),
    ]

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="annotations")
    kind = models.CharField(max_length=10, choices=KINDS, default=Cause.NOTE.value)
    title = models.CharField(max_length=200)
    url = models.URLField(blank=True, max_length=500)
    key = models.CharField(
        max_length=200,
        blank=True,
        help_text="The sender's own name for it: sent again, it is changed rather than doubled.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "key"], condition=~Q(key=""), name="slo_annotation_key_once"
            ),
            models.CheckConstraint(
                name="slo_annotation_ends_after_start",
                condition=Q(ends_at=None) | Q(ends_at__gte=F("starts_at")),
                violation_error_message="ends_at: must not be before starts_at.",
            ),
        ]
        indexes = [models.Index(fields=["service", "-starts_at"], name="slo_annotation_newest")]

    def __str__(self) -> str:
        return self.title
