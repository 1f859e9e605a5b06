"""Objectives: how good a service promises to be, over which window, from when on."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.roles import Role
from catalog.models import SLUG, Service
from core.models import TimestampedModel
from core.zones import zone_names
from slo.domain.figures import Figures
from slo.domain.plans import WindowRule
from slo.domain.windows import Period, Version
from slo.models.sli import Sli

if TYPE_CHECKING:
    from accounts.models import User

# The first version also judges what was measured before the SLO was made.
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


# Pages live beside those of SLOs: /slo/reports/ is no SLO's page.
RESERVED_SLUGS = frozenset({"import", "lint", "panels", "reports", "rules", "sources"})


def validate_free_slug(slug: str) -> None:
    """Refuse what is the address of another page."""
    if slug in RESERVED_SLUGS:
        raise ValidationError(f"{slug} is the address of a page; choose another name.")


def validate_timezone(name: str) -> None:
    """Refuse what is not an IANA zone."""
    if name not in zone_names():
        raise ValidationError(f"{name!r} is no IANA time zone; one is Europe/Berlin.")


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

    class Method(models.TextChoices):
        OCCURRENCES = "occurrences", "Occurrences: good events of all events"
        TIME_SLICES = "time_slices", "Time slices: good minutes of all minutes with events"
        RATIO_OF_SLICES = "ratio_of_slices", "Ratio of slices: mean of the minutes' shares"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG, validate_free_slug])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    sli = models.ForeignKey(Sli, on_delete=models.PROTECT, related_name="slos", verbose_name="SLI")
    method = models.CharField(max_length=20, choices=Method.choices, default=Method.OCCURRENCES)
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
    policy = models.ForeignKey(
        "slo.BudgetPolicy",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="slos",
        help_text="What follows from the state of its budget; empty is the standard policy.",
    )
    minimum_events = models.PositiveIntegerField(
        default=10, help_text="Fewest events in a long window that may raise a burn alert."
    )
    is_enabled = models.BooleanField(default=True)

    # The newest figures, set by `slo.queries.figures.attach`; None before the first evaluation.
    status: "Figures | None" = None

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
    def window_rule(self) -> WindowRule:
        """Its window, as the pure code knows it, ending at the watermark."""
        rolls = self.window_kind == self.WindowKind.ROLLING
        days, zone = (self.window_days, "") if rolls else (0, self.timezone)
        return WindowRule(days, Period(self.calendar_period), zone, timedelta())

    @property
    def period(self) -> timedelta:
        """Nominal length of the window, by which burn thresholds are scaled."""
        return self.window_rule.length

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
