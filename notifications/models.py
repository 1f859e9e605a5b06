"""How people and channels are reached, and when which way is taken."""

from datetime import time, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from accounts.roles import Role
from catalog.models import Team
from core import encryption
from core.models import TimestampedModel
from notifications.domain.kinds import Kind, masked

if TYPE_CHECKING:
    from accounts.models import User

KINDS = [(str(kind), kind.label) for kind in Kind]


# After a day whoever was called has answered, or others were called.
LONGEST_DELAY = timedelta(hours=24)


class ContactMethodQuerySet(models.QuerySet["ContactMethod"]):
    """Reads of contact methods."""

    def usable(self) -> Self:
        """Keep those by which somebody can be called: verified and switched on."""
        return self.filter(is_enabled=True, verified_at__isnull=False)

    def visible_to(self, user: "User") -> Self:
        """Keep a person's own, a team's for its members; managers see all."""
        if user.has_role(Role.MANAGER):
            return self
        return self.filter(Q(person=user) | Q(team__members=user)).distinct()


class ContactMethod(TimestampedModel):
    """One way to reach one person, or one channel of a team.

    It counts only once it is verified. The address is encrypted: webhooks carry secrets in it, and
    telephone numbers are nobody else's business.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="contact_methods",
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.CASCADE, related_name="channels"
    )
    kind = models.CharField(max_length=20, choices=KINDS)
    label = models.CharField(max_length=100, help_text="How lists call it, e.g. my phone.")
    sealed_address = models.TextField(editable=False)
    sealed_secret = models.TextField(
        blank=True, editable=False, help_text="With which webhooks are signed."
    )
    is_enabled = models.BooleanField("enabled", default=True)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    code_digest = models.CharField(max_length=64, blank=True, editable=False)
    code_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    code_tries = models.PositiveSmallIntegerField(default=0, editable=False)
    delivered_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Last time its provider took a message."
    )
    failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    next_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Not before then, but for a P0."
    )
    problem = models.CharField(max_length=500, blank=True, editable=False)

    objects = ContactMethodQuerySet.as_manager()

    class Meta:
        ordering = ["person", "team", "pk"]
        constraints = [
            models.CheckConstraint(
                name="notifications_method_of_one",
                condition=Q(person=None, team__isnull=False) | Q(person__isnull=False, team=None),
                violation_error_message="It belongs to a person or to a team.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.label}"

    @property
    def address(self) -> str:
        """Where it leads; for whoever sends, never for a page."""
        return encryption.decrypt(self.sealed_address)

    @property
    def masked_address(self) -> str:
        """The address as lists show it: enough to recognise it."""
        return masked(Kind(self.kind), self.address)

    @property
    def is_usable(self) -> bool:
        """Whether somebody can be called by it."""
        return self.is_enabled and self.verified_at is not None


class NotificationRule(TimestampedModel):
    """By which of their methods a person is called, and how long after the first."""

    class Urgency(models.TextChoices):
        HIGH = "high", "High: wake me"
        LOW = "low", "Low: it can wait"

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_rules"
    )
    urgency = models.CharField(max_length=4, choices=Urgency.choices)
    method = models.ForeignKey(ContactMethod, on_delete=models.CASCADE, related_name="rules")
    delay = models.DurationField(
        default=timedelta(),
        validators=[MaxValueValidator(LONGEST_DELAY)],
        help_text="Counted from when the person is called; only if they have not answered by then.",
    )

    class Meta:
        ordering = ["person", "urgency", "delay", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "urgency", "method", "delay"], name="notifications_rule_once"
            ),
            models.CheckConstraint(
                name="notifications_rule_not_before", condition=Q(delay__gte=timedelta())
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_urgency_display()} after {self.delay}"


class QuietHours(TimestampedModel):
    """When a person is not called for what can wait, by the wall clock of their zone."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="quiet_hours"
    )
    begins = models.TimeField(default=time(22))
    ends = models.TimeField(default=time(7), help_text="On the next day when it is not after.")

    class Meta:
        verbose_name_plural = "quiet hours"

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}–{self.ends:%H:%M}"
