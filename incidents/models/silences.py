"""Silences: who is not called for what, until when, and why."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q

from catalog.models import Service, of_known_services
from core.models import TimestampedModel
from incidents.domain.silencing import Matcher

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User


class SilenceQuerySet(models.QuerySet["Silence"]):
    """Reads of silences."""

    def active(self, now: "datetime") -> Self:
        """Keep those that hold now."""
        return self.filter(starts_at__lte=now, ends_at__gt=now)

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        return self.filter(of_known_services(user))


class Silence(TimestampedModel):
    """Nobody is called for what matches, from start to end; alerts are still kept and shown."""

    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="silences",
        help_text="Empty: of every service; it then needs a matcher.",
    )
    matchers = models.JSONField(
        default=list,
        blank=True,
        help_text='All must match, e.g. [{"name": "alertname", "op": "=", "value": "DiskFull"}].',
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    comment = models.CharField(max_length=500, help_text="Why, for whoever wonders at 3 a.m.")
    created_by = models.CharField(max_length=200, editable=False)
    is_maintenance = models.BooleanField(
        "maintenance", default=False, help_text="Planned work: shown as such."
    )
    is_ended = models.BooleanField(
        default=False, editable=False, help_text="What still fired at its end was looked at."
    )

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="incidents_silence_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="A silence ends after it starts.",
            )
        ]
        indexes = [
            models.Index(
                fields=["ends_at"], condition=Q(is_ended=False), name="incidents_silence_running"
            )
        ]

    def __str__(self) -> str:
        return self.comment

    @property
    def rules(self) -> list[Matcher]:
        """Its matchers for arithmetic."""
        return [Matcher(rule["name"], rule["op"], rule["value"]) for rule in self.matchers]
