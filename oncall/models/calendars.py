"""Calendars that people subscribe to: a secret address for a schedule, or for one's own shifts."""

from django.conf import settings
from django.db import models

from core import encryption
from oncall.models.schedules import Schedule


class CalendarFeed(models.Model):
    """One address of a calendar; whoever has it reads who is on call, so it can be revoked.

    The address itself is shown once and not stored.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_feeds"
    )
    schedule = models.ForeignKey(
        Schedule,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="calendar_feeds",
        help_text="Empty: the person's own shifts, of every schedule.",
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True, help_text="Last time somebody read it.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return str(self.schedule or f"shifts of {self.person}")


class OverrideFeed(models.Model):
    """A calendar elsewhere whose events are overrides of a schedule, read every quarter of an hour."""

    schedule = models.OneToOneField(
        Schedule, on_delete=models.CASCADE, related_name="override_feed", primary_key=True
    )
    sealed_url = models.TextField(editable=False, help_text="The address may be the secret.")
    read_at = models.DateTimeField(null=True, blank=True, help_text="Last time it was tried.")
    good_at = models.DateTimeField(null=True, blank=True, help_text="Last time it could be read.")
    problem = models.TextField(blank=True, help_text="What of it was not taken over, and why.")

    def __str__(self) -> str:
        return f"calendar of {self.schedule}"

    @property
    def url(self) -> str:
        """Where it is; for whoever reads it, never for a page."""
        return encryption.decrypt(self.sealed_url)
