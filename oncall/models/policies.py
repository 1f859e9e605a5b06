"""Escalation policies: whom each level calls, and when each level is called."""

from datetime import time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.roles import Role
from catalog.models import SLUG, Service, Team
from core.models import TimestampedModel
from notifications.models import ContactMethod
from oncall.domain.escalations import Phase, Urgency, WorkingHours
from oncall.domain.holidays import Days
from oncall.models.holidays import HolidayCalendar
from oncall.models.schedules import Schedule, known_zone, weekday_list

PHASES = [(Phase.UNACKNOWLEDGED, "Until acknowledged"), (Phase.UNRESOLVED, "Until resolved")]
PHASE_TITLES = {
    Phase.UNACKNOWLEDGED: "Until somebody acknowledges",
    Phase.UNRESOLVED: "Acknowledged, until it is resolved",
}
URGENCIES = [(Urgency.HIGH, "High: wake people"), (Urgency.LOW, "Low: it can wait")]
SEVERITIES = [("P0", "P0 critical"), ("P1", "P1 high"), ("P2", "P2 medium"), ("P3", "P3 low")]
TARGET_ROLES = [(role.value, role.label) for role in (Role.RESPONDER, Role.MANAGER, Role.ADMIN)]
LEVEL = [MinValueValidator(1), MaxValueValidator(9)]


def not_a_page(slug: str) -> None:
    """Refuse slugs whose page would be another page."""
    if slug == "new":
        raise ValidationError("That is a page of the portal; choose another.")


# Escalations know of holidays so far ahead.
LONGEST = MaxValueValidator(timedelta(days=90), "At most 90 days.")


def monday_to_friday() -> list[int]:
    """Return the days on which most people work."""
    return [0, 1, 2, 3, 4]


class EscalationPolicy(TimestampedModel):
    """Who is called for a service, in which order and how long after each other."""

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG, not_a_page])
    name = models.CharField(max_length=120)
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="policies"
    )
    description = models.TextField(blank=True)
    is_default = models.BooleanField(
        "default", default=False, help_text="For services that have no policy of their own."
    )
    loops = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="How often it calls all levels, while nobody acknowledges.",
    )
    repeat_after = models.DurationField(
        default=timedelta(minutes=15),
        validators=[MinValueValidator(timedelta(minutes=1)), LONGEST],
        help_text="From the last level to the first one again.",
    )
    ack_timeout = models.DurationField(
        null=True,
        blank=True,
        validators=[MinValueValidator(timedelta(minutes=5)), LONGEST],
        help_text="Without activity for so long, whoever acknowledged is asked: still on it?",
    )
    timezone = models.CharField(max_length=64, default="UTC", validators=[known_zone])
    work_begins = models.TimeField(default=time(9))
    work_ends = models.TimeField(default=time(17))
    work_days = models.JSONField(default=monday_to_friday, validators=[weekday_list])
    holidays = models.ForeignKey(
        HolidayCalendar,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="policies",
        help_text="Days on which nobody works, whatever weekday it is.",
    )

    class Meta:
        ordering = ["slug"]
        verbose_name_plural = "escalation policies"
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="oncall_policy_one_default",
                violation_error_message="Another policy is the default already.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return its page."""
        return reverse("oncall:policy", args=[self.slug])

    def clean(self) -> None:
        """Refuse working hours that are none."""
        if self.work_begins >= self.work_ends:
            raise ValidationError({"work_ends": "Working hours end after they begin."})

    @property
    def working_hours(self) -> WorkingHours:
        """When waiting in working hours counts."""
        return WorkingHours(
            ZoneInfo(self.timezone),
            self.work_begins,
            self.work_ends,
            frozenset(self.work_days),
            self.holidays.dates if self.holidays is not None else Days(),
        )


class PolicyLevel(models.Model):
    """One level of a policy, e.g. L1, the engineer on call."""

    class Mode(models.TextChoices):
        ALL = "all", "All of them"
        ROUND_ROBIN = "round_robin", "The next one of them each time"

    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="levels")
    number = models.PositiveSmallIntegerField(validators=LEVEL)
    name = models.CharField(max_length=120, help_text="e.g. On-call engineer.")
    mode = models.CharField(max_length=12, choices=Mode.choices, default=Mode.ALL)
    acknowledgements = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=LEVEL,
        help_text="How many people must acknowledge, once it was called, before calling stops.",
    )

    class Meta:
        ordering = ["policy", "number"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="oncall_level_number")
        ]

    def __str__(self) -> str:
        return f"L{self.number} {self.name}"

    def clean(self) -> None:
        """Refuse to wait for more people than a level calls."""
        if self.mode == self.Mode.ROUND_ROBIN and self.acknowledgements > 1:
            raise ValidationError(
                {"acknowledgements": "One of them is called at a time: one can acknowledge."}
            )


def _only(**given: bool) -> Q:
    """Return the condition that one of the four references is set, and no role."""
    (chosen,) = given
    others = {"schedule", "person", "team", "channel"} - {chosen.removesuffix("__isnull")}
    return Q(**given, **dict.fromkeys(sorted(others)), role="")


class LevelTarget(models.Model):
    """Whom a level calls: exactly one of schedule, person, team, role or channel."""

    level = models.ForeignKey(PolicyLevel, on_delete=models.CASCADE, related_name="targets")
    schedule = models.ForeignKey(
        Schedule, null=True, blank=True, on_delete=models.PROTECT, related_name="targets"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="targets",
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.CASCADE, related_name="targets"
    )
    channel = models.ForeignKey(
        ContactMethod,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="targets",
        limit_choices_to={"person": None},
        help_text="A channel of a team, e.g. its webhook.",
    )

    role = models.CharField(
        max_length=20,
        blank=True,
        choices=TARGET_ROLES,
        help_text="Everybody whose role it is, e.g. all managers.",
    )

    class Meta:
        ordering = ["level", "pk"]
        constraints = [
            models.CheckConstraint(
                name="oncall_target_is_one",
                condition=_only(schedule__isnull=False)
                | _only(person__isnull=False)
                | _only(team__isnull=False)
                | _only(channel__isnull=False)
                | Q(schedule=None, person=None, team=None, channel=None) & ~Q(role=""),
                violation_error_message="Name a schedule, person, team, role or channel: one of them.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}"

    @property
    def kind(self) -> str:
        """Which of them it is."""
        kinds = ("schedule", "person", "team", "channel")
        return next((kind for kind in kinds if getattr(self, f"{kind}_id") is not None), "role")

    @property
    def target_id(self) -> int | str:
        """Its key: of a role its name."""
        key: int | str = self.role if self.kind == "role" else getattr(self, f"{self.kind}_id")
        return key


class Timing(models.Model):
    """When a level is called for one severity; where a policy has none, the guide's matrix holds."""

    policy = models.ForeignKey(EscalationPolicy, on_delete=models.CASCADE, related_name="timings")
    phase = models.CharField(max_length=16, choices=PHASES, default=Phase.UNACKNOWLEDGED)
    severity = models.CharField(max_length=2, choices=SEVERITIES)
    level = models.PositiveSmallIntegerField(validators=LEVEL)
    after = models.DurationField(
        default=timedelta(),
        validators=[MinValueValidator(timedelta()), LONGEST],
        help_text="From the start.",
    )
    urgency = models.CharField(max_length=4, choices=URGENCIES, default=Urgency.HIGH)
    in_working_hours = models.BooleanField(
        default=False, help_text="Only working time counts as waiting."
    )

    class Meta:
        ordering = ["policy", "phase", "severity", "after", "level"]
        constraints = [
            models.UniqueConstraint(
                fields=["policy", "phase", "severity", "level"], name="oncall_timing_once"
            ),
            models.CheckConstraint(
                name="oncall_timing_not_before", condition=Q(after__gte=timedelta())
            ),
        ]

    def __str__(self) -> str:
        return f"{self.severity} L{self.level} after {self.after}"


class ServicePolicy(models.Model):
    """Which policy a service is called by."""

    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, related_name="escalation", primary_key=True
    )
    policy = models.ForeignKey(EscalationPolicy, on_delete=models.PROTECT, related_name="services")

    class Meta:
        verbose_name_plural = "service policies"

    def __str__(self) -> str:
        return f"{self.service_id} by {self.policy_id}"


class FallbackContact(TimestampedModel):
    """Who is called when nobody else can be; without a row, all admins are."""

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="fallbacks",
    )
    channel = models.ForeignKey(
        ContactMethod,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="fallbacks",
        limit_choices_to={"person": None},
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="oncall_fallback_is_one",
                condition=Q(person=None, channel__isnull=False)
                | Q(person__isnull=False, channel=None),
                violation_error_message="Name a person or a channel.",
            )
        ]

    def __str__(self) -> str:
        return str(self.person or self.channel)
