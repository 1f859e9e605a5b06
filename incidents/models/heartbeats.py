"""Heartbeats: what must report regularly, and alerts by its silence."""

import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from core.models import TimestampedModel
from incidents.domain.heartbeats import (
    LONGEST_KEY,
    Expected,
    due_after,
    key_of_sender,
    next_after,
)
from incidents.models.alerts import Severity
from incidents.models.integrations import Integration
from oncall.models.schedules import known_zone

_RHYTHM = [
    MinValueValidator(timedelta(seconds=30), "At least 30 seconds."),
    MaxValueValidator(timedelta(days=366), "At most 366 days."),
]


class Heartbeat(TimestampedModel):
    """One thing that must give a sign of life, e.g. a backup every night.

    Its name is for people, who may change it; senders find it by its key, or as their integration's
    own.
    """

    class State(models.TextChoices):
        NEW = "new", "Waiting for its first sign"
        UP = "up", "Alive"
        DOWN = "down", "Overdue or failed"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="heartbeats"
    )
    name = models.CharField(max_length=100)
    sender_key = models.CharField(
        max_length=LONGEST_KEY,
        blank=True,
        default="",
        help_text="What its sender calls it, e.g. the slug in the address; empty: as its name now.",
    )
    is_own = models.BooleanField(
        default=False,
        editable=False,
        help_text="Signs that name nothing but the integration are its.",
    )
    period = models.DurationField(default=timedelta(days=1), validators=_RHYTHM)
    grace = models.DurationField(default=timedelta(hours=1), validators=_RHYTHM)
    schedule = models.CharField(
        max_length=100,
        blank=True,
        help_text="Cron expression, when it is expected; instead of the period, e.g. 0 3 * * 1-5.",
    )
    timezone = models.CharField(
        max_length=64, default="UTC", validators=[known_zone], help_text="Of the schedule."
    )
    severity = models.CharField(max_length=2, choices=Severity.choices, default=Severity.P2)
    told = models.JSONField(
        default=dict, blank=True, editable=False, help_text="What its sender is told of it again."
    )
    state = models.CharField(max_length=8, choices=State.choices, default=State.NEW, editable=False)
    is_paused = models.BooleanField(default=False, help_text="A paused one alerts nobody.")
    last_sign_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_sign = models.CharField(max_length=8, blank=True, editable=False)
    ended_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Last success or failure."
    )
    started_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="First start since then."
    )
    due_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Silent beyond this, it alerts."
    )

    class Meta:
        ordering = ["integration", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "sender_key"],
                condition=~Q(sender_key=""),
                name="incidents_heartbeat_key_once",
                violation_error_message="There is a heartbeat of this name already.",
            ),
            models.UniqueConstraint(
                fields=["integration"],
                condition=Q(is_own=True),
                name="incidents_heartbeat_own_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(state="up", is_paused=False),
                name="incidents_heartbeat_due",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def expected(self) -> Expected:
        """How often its sign is expected."""
        return Expected(self.period, self.grace, self.schedule, ZoneInfo(self.timezone))

    def count_rhythm(self) -> None:
        """Count from its last signs when it is due."""
        self.due_at = due_after(self.ended_at, self.started_at, self.expected)

    def clean(self) -> None:
        """Give it a key where nobody has; refuse schedules that name no moment."""
        self.sender_key = key_of_sender(self.sender_key)
        if not self.sender_key and not self.is_own:
            self.sender_key = key_of_sender(self.name)
        if self.schedule:
            try:
                next_after(self.schedule, datetime(2024, 1, 1, tzinfo=UTC), UTC)
            except ValueError as error:
                raise ValidationError({"schedule": f"{error}.".capitalize()}) from error

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Say a key that is taken at what gave it: the key itself, or the name."""
        try:
            super().validate_constraints(exclude=exclude)
        except ValidationError as error:
            is_named = self.sender_key == key_of_sender(self.name)
            field = "name" if is_named else "sender_key"
            raise ValidationError({field: error.messages}) from error
