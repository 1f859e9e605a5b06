"""Budget policies: what follows from the state of a budget."""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from catalog.models import SLUG, Service
from core.models import TimestampedModel
from slo.domain.state import StatePolicy

_FROM_0_TO_1 = [MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))]


class BudgetPolicy(TimestampedModel):
    """When a budget is at risk or exhausted, and what is done about it."""

    class Freeze(models.TextChoices):
        NEVER = "never", "Never"
        EXHAUSTED = "exhausted", "While the budget is exhausted"
        AT_RISK = "at_risk", "While the budget is at risk or exhausted"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    at_risk_below = models.DecimalField(
        max_digits=6,
        decimal_places=4,
        default=Decimal("0.25"),
        validators=_FROM_0_TO_1,
        help_text="At risk begins when less than this share of the budget is left.",
    )
    healthy_from = models.DecimalField(
        max_digits=6,
        decimal_places=4,
        default=Decimal("0.30"),
        validators=_FROM_0_TO_1,
        help_text="At risk ends when this share is left again.",
    )
    recovered_above = models.DecimalField(
        max_digits=6,
        decimal_places=4,
        default=Decimal(0),
        validators=_FROM_0_TO_1,
        help_text="Exhausted ends when more than this share is left again.",
    )
    freeze_when = models.CharField(
        max_length=10,
        choices=Freeze.choices,
        default=Freeze.EXHAUSTED,
        help_text="When `/api/v1/services/<slug>/freeze` tells CI to hold releases.",
    )
    pages_when_exhausted = models.BooleanField(
        default=True, help_text="A P1 alert, once, for as long as the budget is exhausted."
    )
    tickets_when_at_risk = models.BooleanField(
        default=False, help_text="A P3 alert, once, for as long as the budget is at risk."
    )

    class Meta:
        ordering = ["slug"]
        verbose_name_plural = "budget policies"
        constraints = [
            models.CheckConstraint(
                name="slo_policy_hysteresis",
                condition=Q(healthy_from__gte=F("at_risk_below"))
                & Q(at_risk_below__gte=F("recovered_above")),
                violation_error_message=(
                    "healthy_from: must not be below at_risk_below, nor that below recovered_above."
                ),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def as_domain(self) -> StatePolicy:
        """Return the policy as the pure code knows it."""
        return StatePolicy(self.at_risk_below, self.healthy_from, self.recovered_above)


class FreezeOverride(models.Model):
    """Somebody's decision that a service's releases are held, or are not, for a while."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="freeze_overrides")
    frozen = models.BooleanField(help_text="Held (true), or released in spite of the budget.")
    reason = models.CharField(max_length=300)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True, help_text="Taken back before its time.")

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="slo_freeze_override_expires",
                condition=Q(expires_at__gt=F("created_at")),
                violation_error_message="expires_at: must lie in the future.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.service_id}: {'frozen' if self.frozen else 'released'}"
