"""How people and channels are reached, and when which way is taken."""

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Self

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
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


SAME_TIME = "Quiet hours end at another time than they begin."
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

    def managed_by(self, user: "User") -> Self:
        """Keep a person's own, and the channels of the teams for which they may change them."""
        return self.filter(Q(person=user) | Q(team__in=teams_managed_by(user)))


def teams_managed_by(user: "User") -> models.QuerySet[Team]:
    """Return the teams whose channels a person may change: managers all, responders their own."""
    if user.has_role(Role.MANAGER):
        return Team.objects.all()
    return (
        Team.objects.filter(members=user) if user.has_role(Role.RESPONDER) else Team.objects.none()
    )


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
    sealed_old_secret = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The one before, which still signs for a while.",
    )
    old_secret_until = models.DateTimeField(null=True, blank=True, editable=False)
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
    news_next_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="No news of others' answers before then."
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
        """Where it leads; for whoever sends, never for a page.

        Raises:
            cryptography.fernet.InvalidToken: No key that is set opens it.
        """
        return encryption.decrypt(self.sealed_address)

    @property
    def known_address(self) -> str:
        """The address, "" where no key that is set opens it: for whoever compares."""
        try:
            return self.address
        except InvalidToken:
            return ""

    @property
    def masked_address(self) -> str:
        """The address as lists show it: enough to recognise it."""
        address = self.known_address
        return (
            masked(Kind(self.kind), address)
            if address
            else "cannot be read: remove it, add it again"
        )

    @property
    def is_usable(self) -> bool:
        """Whether somebody can be called by it."""
        return self.is_enabled and self.verified_at is not None

    def secrets_at(self, now: datetime) -> str:
        """Return with what messages are signed, "" where nothing is: two, apart by a blank, while a
        new secret replaces another.
        """
        secret = encryption.decrypt(self.sealed_secret) if self.sealed_secret else ""
        if self.old_secret_until is None or self.old_secret_until <= now:
            return secret
        return f"{secret} {encryption.decrypt(self.sealed_old_secret)}"


class AccountThrottle(models.Model):
    """When the next message may go out to the email address of an account, for who has no way."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="throttle",
    )
    next_at = models.DateTimeField(null=True, help_text="Not before then, but for a P0.")
    news_next_at = models.DateTimeField(
        null=True, help_text="No news of others' answers before then."
    )

    def __str__(self) -> str:
        return f"account of {self.person_id}"


class TrialMessage(models.Model):
    """A code or a test that was sent to a contact method.

    It is kept for an hour, also when the method is removed: what may be sent is counted by them.
    """

    owner = models.CharField(max_length=40, help_text="Whose method it is: user:12 or team:3.")
    address_digest = models.CharField(max_length=64, help_text="Of kind and address.")
    is_test = models.BooleanField(help_text="Else it is a code.")
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["owner", "at"], name="notifications_trial_of_owner"),
            models.Index(fields=["address_digest", "at"], name="notifications_trial_to"),
        ]

    def __str__(self) -> str:
        return f"{'test' if self.is_test else 'code'} for {self.owner}"


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

    def clean(self) -> None:
        """Refuse a method of somebody else, by which nobody would be called, and to be called before.

        Raises:
            ValidationError: Names the field.
        """
        wrong = {}
        if self.method_id is not None and self.method.person_id != self.person_id:
            wrong["method"] = "It is somebody else's: choose a way of the person."
        if self.delay is not None and self.delay < timedelta():
            wrong["delay"] = "Nobody is called before it happened: use 0 or more."
        if wrong:
            raise ValidationError(wrong)


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

    def clean(self) -> None:
        """Refuse what would be quiet all day, or not at all.

        Raises:
            ValidationError: Names the field.
        """
        if self.begins is not None and self.begins == self.ends:
            raise ValidationError({"ends": SAME_TIME})
