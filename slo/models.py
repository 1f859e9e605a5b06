"""SLIs, objectives with their versions, the packed slices and the newest figures."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.roles import Role
from catalog.models import SLUG, Service
from core.models import TimestampedModel
from slo.domain.state import State
from slo.domain.windows import Period, Version
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S
from telemetry.queries import bounds_ms

if TYPE_CHECKING:
    from accounts.models import User

# The first version also judges what was measured before the SLO was made.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def validate_timezone(name: str) -> None:
    """Refuse what is not an IANA zone."""
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no IANA time zone; one is Europe/Berlin.")


class Sli(TimestampedModel):
    """What is counted: which events are valid, and which of them are good."""

    class Kind(models.TextChoices):
        AVAILABILITY = "availability", "Availability: not answered with a server error"
        SUCCESS = "success", "Success: answered without any error"
        LATENCY = "latency", "Latency: answered within a threshold"
        FRESHNESS = "freshness", "Freshness: data younger than a threshold"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="slis")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    description = models.TextField(blank=True)
    endpoint = models.CharField(
        max_length=200, blank=True, help_text="Only this endpoint; empty counts all of them."
    )
    error_from = models.PositiveSmallIntegerField(
        default=500,
        validators=[MinValueValidator(400), MaxValueValidator(599)],
        help_text="Statuses from here on are bad: 500 for server errors, 400 for any error.",
    )
    excluded_statuses = models.JSONField(
        default=list, blank=True, help_text="Statuses that are not valid events, e.g. [401, 429]."
    )
    threshold_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="Latency: answered within so many milliseconds is good."
    )
    only_successful = models.BooleanField(
        default=False, help_text="Latency: count only requests that were not errors."
    )
    freshness_source = models.CharField(
        max_length=100, blank=True, help_text="Freshness: name of the reporting source."
    )
    threshold_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Freshness: data younger than so many seconds is good."
    )
    silence_grace_s = models.PositiveIntegerField(
        default=600, help_text="Freshness: silence longer than this is bad."
    )
    slot = models.PositiveIntegerField(
        unique=True, editable=False, help_text="Column of this SLI in the packed slices."
    )
    data_since = models.DateTimeField(
        null=True, editable=False, help_text="Start of the first measured minute."
    )

    class Meta:
        ordering = ["slug"]
        verbose_name = "SLI"
        constraints = [
            models.CheckConstraint(
                name="slo_sli_latency_has_threshold",
                condition=~Q(kind="latency") | Q(threshold_ms__gt=0),
                violation_error_message="threshold_ms: a latency SLI needs a threshold.",
            ),
            models.CheckConstraint(
                name="slo_sli_freshness_has_source",
                condition=~Q(kind="freshness") | (Q(threshold_s__gt=0) & ~Q(freshness_source="")),
                violation_error_message="A freshness SLI needs freshness_source and threshold_s.",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    def clean(self) -> None:
        """Refuse what could never be measured, naming the field."""
        errors: dict[str, str] = {}
        if self.kind == self.Kind.LATENCY and self.threshold_ms not in bounds_ms(self.service_id):
            errors["threshold_ms"] = latency_hint(bounds_ms(self.service_id))
        if self.kind == self.Kind.FRESHNESS and not self.freshness_source:
            errors["freshness_source"] = "Name the source whose reports are counted."
        if self.kind == self.Kind.FRESHNESS and self.threshold_s not in FRESHNESS_BOUNDS_S:
            errors["threshold_s"] = f"Choose one of {', '.join(map(str, FRESHNESS_BOUNDS_S))} s."
        if errors:
            raise ValidationError(errors)


def latency_hint(bounds: Sequence[float]) -> str:
    """Say which thresholds can be counted exactly."""
    names = ", ".join(f"{bound:g}" for bound in bounds)
    return f"Requests are counted up to these bounds, so choose one of them: {names} ms."


class SloQuerySet(models.QuerySet["Slo"]):
    """Reads of SLOs."""

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        if user.has_role(Role.ADMIN):
            return self
        return self.filter(sli__service__in=Service.objects.visible_to(user).values("pk"))

    def enabled(self) -> Self:
        """Keep those that are evaluated."""
        return self.filter(is_enabled=True)


class Slo(TimestampedModel):
    """How good a service promises to be, over which window.

    Its targets are `SloVersion` rows; `slo.services.objectives.set_objective` adds one.
    """

    class WindowKind(models.TextChoices):
        ROLLING = "rolling", "Rolling"
        CALENDAR = "calendar", "Calendar"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    sli = models.ForeignKey(Sli, on_delete=models.PROTECT, related_name="slos", verbose_name="SLI")
    window_kind = models.CharField(
        max_length=10, choices=WindowKind.choices, default=WindowKind.ROLLING
    )
    window_days = models.PositiveSmallIntegerField(
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(366)],
        help_text="Length of a rolling window, days.",
    )
    calendar_period = models.CharField(
        max_length=10,
        choices=[(period.value, period.value.title()) for period in Period],
        default=Period.MONTH,
        help_text="Period of a calendar window.",
    )
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[validate_timezone],
        help_text="IANA zone whose midnights border calendar windows.",
    )
    minimum_events = models.PositiveIntegerField(
        default=10, help_text="Fewest events in a long window that may raise a burn alert."
    )
    is_enabled = models.BooleanField(default=True)

    objects = SloQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        verbose_name = "SLO"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the SLO's page."""
        return reverse("slo:slo", args=[self.slug])

    @property
    def objective(self) -> Decimal:
        """The objective in force by the newest version."""
        return list(self.versions.all())[-1].objective

    @property
    def period(self) -> timedelta:
        """Nominal length of the window, by which burn thresholds are scaled."""
        if self.window_kind == self.WindowKind.ROLLING:
            return timedelta(days=self.window_days)
        days = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
        return timedelta(days=days[self.calendar_period])

    @property
    def window_name(self) -> str:
        """The window in short: `30d`, `month`."""
        if self.window_kind == self.WindowKind.ROLLING:
            return f"{self.window_days}d"
        return self.calendar_period


class SloVersion(models.Model):
    """An objective and the moment from which it judges. Never changed, never deleted."""

    slo = models.ForeignKey(Slo, on_delete=models.CASCADE, related_name="versions")
    objective = models.DecimalField(max_digits=9, decimal_places=8)
    effective_from = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["effective_from", "pk"]
        verbose_name = "SLO version"
        constraints = [
            models.UniqueConstraint(fields=["slo", "effective_from"], name="slo_version_moment"),
            models.CheckConstraint(
                name="slo_version_objective_0_to_1",
                condition=Q(objective__gt=0) & Q(objective__lt=1),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.objective.normalize()} from {self.effective_from:%Y-%m-%d %H:%M}"

    @property
    def is_first(self) -> bool:
        """Whether it judges from the beginning."""
        return self.effective_from == BEGINNING

    def as_domain(self) -> Version:
        """Return the version as the pure code knows it."""
        return Version(self.objective, self.effective_from)


class SliceBlock(models.Model):
    """The counts of all SLIs for one minute, hour or day, packed (`slo.domain.blocks`)."""

    class Resolution(models.IntegerChoices):
        MINUTE = 1, "minute"
        HOUR = 60, "hour"
        DAY = 1440, "day"

    resolution = models.PositiveSmallIntegerField(choices=Resolution.choices)
    start = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resolution", "start"], name="slo_block_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_resolution_display()} {self.start:%Y-%m-%d %H:%M}"


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
