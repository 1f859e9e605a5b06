"""Threshold rules: the operations guide's alerts as rows that people edit."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from catalog.models import SLUG, Service
from core.models import TimestampedModel
from incidents.models import Severity
from slo.domain.rules import Comparison, Condition, Metric


class ThresholdRule(TimestampedModel):
    """A figure and the threshold beyond which it raises an alert, for one service or for all."""

    METRICS = [
        (Metric.AVAILABILITY, "Availability: share of requests without a server error"),
        (Metric.ERROR_RATE, "Error rate: share of requests that failed"),
        (Metric.P95_MS, "Response time: 95th percentile, ms"),
        (Metric.BREAKERS_OPEN, "Circuit breaker open: breakers that reject calls"),
        (Metric.DATABASE_FAILURES, "Database failures: failed database calls"),
        (Metric.SLOW_QUERIES, "Slow queries: database calls slower than a second"),
        (Metric.CPU, "CPU utilization: share of what is provisioned"),
        (Metric.MEMORY, "Memory utilization: share of what is provisioned"),
    ]

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    metric = models.CharField(max_length=30, choices=METRICS)
    comparison = models.CharField(
        max_length=5, choices=[(c.value, c.value) for c in Comparison], default=Comparison.ABOVE
    )
    threshold = models.DecimalField(
        max_digits=16,
        decimal_places=6,
        validators=[MinValueValidator(0)],
        help_text="Shares between 0 and 1, times in milliseconds, else a count.",
    )
    window_minutes = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(1440)],
        help_text="Minutes that the figure is taken over.",
    )
    minimum_events = models.PositiveIntegerField(
        default=0, help_text="Fewest requests that may raise the alert."
    )
    error_from = models.PositiveSmallIntegerField(
        default=500,
        validators=[MinValueValidator(400), MaxValueValidator(599)],
        help_text="Availability and error rate: statuses from here on have failed.",
    )
    severity = models.CharField(max_length=2, choices=Severity.choices, default=Severity.P1)
    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="threshold_rules",
        help_text="Only this service; empty watches every one.",
    )
    is_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["severity", "slug"]
        constraints = [
            models.CheckConstraint(name="slo_rule_threshold", condition=Q(threshold__gte=0))
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def condition(self) -> Condition:
        """The rule as the pure code knows it."""
        return Condition(Comparison(self.comparison), self.threshold, self.minimum_events)
