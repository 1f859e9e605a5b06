"""Corrections of an objective's counts, and what they change minute by minute."""

from fractions import Fraction
from typing import Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Prefetch, Q

from catalog.models import Service
from core.models import TimestampedModel
from core.recurrence import parse_rule
from incidents.models import Silence
from slo.domain import corrections as domain
from slo.models.objective import Slo, validate_timezone


class CorrectionQuerySet(models.QuerySet["Correction"]):
    """Reads of corrections."""

    def with_early_ends(self) -> Self:
        """Load what `as_domain` asks for of maintenance, of all rows at once."""
        ended = Prefetch("maintenance__silences", Silence.objects.ended_early())
        return self.select_related("maintenance").prefetch_related(ended)


class Correction(TimestampedModel):
    """Time whose counts are not judged as measured: maintenance, or bad data.

    Never edited and never deleted: `slo.services.corrections.cancel` ends it, so what was known
    when stays known.
    """

    class Mode(models.TextChoices):
        EXCLUDE = domain.Mode.EXCLUDE.value, "Exclude: leaves the window altogether"
        COUNT_AS_GOOD = domain.Mode.COUNT_AS_GOOD.value, "Count as good: its events are all good"
        CAP = domain.Mode.CAP.value, "Cap: at most a share of its events is bad"

    slo = models.ForeignKey(
        Slo, null=True, blank=True, on_delete=models.CASCADE, related_name="corrections"
    )
    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="slo_corrections",
        help_text="All objectives of this service, instead of one.",
    )
    mode = models.CharField(max_length=20, choices=Mode.choices, default=Mode.EXCLUDE)
    cap = models.DecimalField(
        null=True,
        blank=True,
        max_digits=9,
        decimal_places=8,
        help_text="Cap: greatest share of a minute's events that counts as bad, e.g. 0.01.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="End of the first occurrence.")
    rule = models.CharField(
        max_length=300,
        blank=True,
        help_text="RRULE of a repetition, e.g. FREQ=WEEKLY;BYDAY=SU; empty for once.",
    )
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text="IANA zone whose wall clock the repetition follows.",
    )
    reason = models.CharField(max_length=300)
    maintenance = models.OneToOneField(
        "incidents.Maintenance",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="correction",
        help_text="Whose minutes these are.",
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    cancelled_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="From here on it corrects nothing."
    )

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="slo_correction_of_one_thing",
                condition=Q(slo__isnull=True, service__isnull=False)
                | Q(slo__isnull=False, service__isnull=True),
                violation_error_message="slo: name one objective or one service.",
            ),
            models.CheckConstraint(
                name="slo_correction_ends_after_start",
                condition=Q(ends_at__gt=models.F("starts_at")),
                violation_error_message="ends_at: must be after starts_at.",
            ),
            models.CheckConstraint(
                name="slo_correction_cap",
                condition=~Q(mode="cap") | Q(cap__gte=0, cap__lt=1),
                violation_error_message="cap: needs a share from 0 to below 1.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_mode_display().split(':')[0]}: {self.reason}"

    def clean(self) -> None:
        """Refuse what no minute could be corrected by, naming the field."""
        errors: dict[str, str] = {}
        if (self.slo_id is None) == (self.service_id is None):
            errors["slo"] = "Name one objective or one service, not both."
        if self.starts_at and self.ends_at and self.ends_at <= self.starts_at:
            errors["ends_at"] = "Must be after starts_at."
        if self.mode == self.Mode.CAP and (self.cap is None or not 0 <= self.cap < 1):
            errors["cap"] = "Give the greatest bad share, from 0 to below 1."
        if self.rule and self.starts_at and "ends_at" not in errors:
            try:
                parse_rule(self.rule, start=self.starts_at, zone=self.timezone)
            except ValueError as error:
                errors["rule"] = str(error)
        if errors:
            raise ValidationError(errors)

    def as_domain(self) -> domain.Correction:
        """Return the correction as the pure code knows it."""
        return domain.Correction(
            mode=domain.Mode(self.mode),
            start=self.starts_at,
            end=self.ends_at,
            rule=self.rule,
            zone=self.timezone,
            cap=Fraction(self.cap or 0),
            cancelled_at=self.cancelled_at,
            early_ends=self.maintenance.early_ends if self.maintenance else {},
        )


class SliceAdjustment(models.Model):
    """What corrections change in one hour of one SLO, minute by minute.

    Written by `slo.services.adjustments` only; kept when the minutes themselves are forgotten.
    """

    slo = models.ForeignKey(Slo, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    minutes = models.JSONField(
        help_text="Rows of minute of the hour, then the fields of a Delta in their order."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["slo", "hour"], name="slo_adjustment_once")]

    def __str__(self) -> str:
        return f"{self.slo_id} {self.hour:%Y-%m-%d %H}"
