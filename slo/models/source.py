"""Where pulled SLIs come from: a Prometheus-compatible server, or CloudWatch."""

from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from catalog.models import SLUG
from core.models import TimestampedModel


class Source(TimestampedModel):
    """A system that is asked for the minutes of SLIs; the portal's own telemetry needs none.

    What is known of its health is written by `slo.services.sources` only.
    """

    class Kind(models.TextChoices):
        PROMETHEUS = "prometheus", "Prometheus, or what speaks its HTTP API"
        CLOUDWATCH = "cloudwatch", "AWS CloudWatch"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    kind = models.CharField(max_length=20, choices=Kind.choices)
    # No URLField: that refuses names without a dot, which hosts inside a network often have.
    url = models.CharField(
        max_length=500,
        blank=True,
        help_text="Prometheus: address before /api/v1, e.g. http://prometheus:9090.",
    )
    region = models.CharField(max_length=40, blank=True, help_text="CloudWatch: AWS region.")
    credentials = models.TextField(
        blank=True, editable=False, help_text="Encrypted: bearer token or basic sign-in."
    )
    delay_minutes = models.PositiveSmallIntegerField(
        # Counts of a minute are fetched after it closed; figures that end one minute earlier never
        # wait for a fetch that is under way.
        default=1,
        validators=[MaxValueValidator(60)],
        help_text="How many minutes late its data is complete; windows of its SLOs end so early.",
    )
    is_enabled = models.BooleanField(default=True)
    complete_until = models.DateTimeField(
        null=True, editable=False, help_text="Everything before it was fetched."
    )
    failing_since = models.DateTimeField(null=True, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    busy_until = models.DateTimeField(
        null=True, editable=False, help_text="Nobody else asks it before."
    )

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                name="slo_source_prometheus_has_url",
                condition=~Q(kind="prometheus") | ~Q(url=""),
                violation_error_message="url: a Prometheus source needs its address.",
            )
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Refuse what could never be asked, naming the field."""
        if self.kind == self.Kind.PROMETHEUS and not self.url:
            raise ValidationError({"url": "Name the address before /api/v1."})
        if self.kind == self.Kind.PROMETHEUS and self.region:
            raise ValidationError({"region": "Only CloudWatch has regions; leave it empty."})
        if self.kind == self.Kind.CLOUDWATCH and self.url:
            raise ValidationError({"url": "CloudWatch is found by its region; leave it empty."})

    @property
    def state(self) -> str:
        """How it is: off, failing, waiting (never asked) or answering."""
        if not self.is_enabled:
            return "off"
        if self.failing_since is not None:
            return "failing"
        return "waiting" if self.complete_until is None else "answering"

    @property
    def delay(self) -> timedelta:
        """How late its data is complete."""
        return timedelta(minutes=self.delay_minutes)
