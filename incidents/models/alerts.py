"""Alerts: what a rule, a burn rate or a breaker says is wrong now."""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from catalog.models import Service, of_known_services
from incidents.domain.alert_details import Detail, details_of

if TYPE_CHECKING:
    from accounts.models import User


class Severity(models.TextChoices):
    """How bad it is, and so how soon somebody must respond (15 min, 1 h, 4 h, 24 h)."""

    P0 = "P0", "P0 critical"
    P1 = "P1", "P1 high"
    P2 = "P2", "P2 medium"
    P3 = "P3", "P3 low"


class AlertQuerySet(models.QuerySet["Alert"]):
    """Reads of alerts."""

    def firing(self) -> Self:
        """Keep those that are wrong now."""
        return self.filter(state=Alert.State.FIRING, resolved_at=None)

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        return self.filter(of_known_services(user))


class Alert(models.Model):
    """One condition of one source, from when it began to hold until it ended.

    Rows are written by `incidents.services.intake` only.
    """

    class State(models.TextChoices):
        FIRING = "firing", "Firing"
        RESOLVED = "resolved", "Resolved"

    # What most rows of a batch have in common (`core.bulk`).
    ALIKE = (
        "source", "integration_id", "service_id", "incident_id", "origin_id", "silenced_by_id", "severity", "state",
        "runbook_url", "group_key", "pages", "count", "opened_at", "last_seen_at", "resolved_at",
        "acknowledged_at", "acknowledged_by", "sender_at",
    )  # fmt: skip

    incident = models.ForeignKey(
        "incidents.Incident",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="alerts",
        db_constraint=False,
        help_text="What it belongs to; none while it informs only, or is silenced.",
    )
    origin = models.ForeignKey(
        "incidents.Incident",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="+",
        help_text="Where it goes back to when merged incidents are taken apart; none: never merged.",
    )
    silenced_by = models.ForeignKey(
        "incidents.Silence",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="alerts",
        help_text="Why nobody is called for it.",
    )
    source = models.CharField(max_length=40, help_text="Who says so: slo, rule, breaker …")
    integration = models.ForeignKey(
        "incidents.Integration",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="alerts",
        help_text="Through which it came; none for the portal's own.",
    )
    dedup_key = models.CharField(max_length=512, help_text="Same key while firing = same alert.")
    service = models.ForeignKey(
        Service, null=True, blank=True, on_delete=models.SET_NULL, related_name="alerts"
    )
    severity = models.CharField(max_length=2, choices=Severity.choices)
    title = models.CharField(max_length=1024)
    detail = models.TextField(blank=True)
    url = models.CharField(max_length=2000, blank=True, help_text="The page that explains it.")
    runbook_url = models.CharField(max_length=2000, blank=True, help_text="What to do about it.")
    labels = models.JSONField(
        default=dict, blank=True, help_text="Names and values it is matched by."
    )
    group_key = models.CharField(max_length=512, blank=True, help_text="What belongs together.")
    pages = models.BooleanField(default=True, help_text="No: it informs, nobody is called.")
    facts = models.JSONField(default=dict, blank=True, help_text="The figures that decided it.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.FIRING)
    count = models.PositiveIntegerField(default=1, help_text="How often it was reported.")
    opened_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=100, blank=True)
    sender_at = models.DateTimeField(
        null=True, blank=True, help_text="The sender's clock at the newest event that was applied."
    )

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "dedup_key"],
                condition=Q(state="firing", integration=None),
                name="incidents_alert_one_firing",
            ),
            models.UniqueConstraint(
                fields=["integration", "dedup_key", "source"],
                condition=Q(state="firing", integration__isnull=False),
                name="incidents_alert_one_firing_of_integration",
            ),
            models.CheckConstraint(
                name="incidents_alert_resolved_at_iff_resolved",
                condition=Q(state="firing", resolved_at=None)
                | Q(state="resolved", resolved_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["severity", "-opened_at"],
                # Not by its state: looking an open alert up by its key must not find this one.
                condition=Q(resolved_at=None),
                name="incidents_alert_firing",
            ),
            models.Index(
                fields=["dedup_key", "integration", "opened_at"],
                condition=Q(state="resolved"),
                name="incidents_alert_ended",
            ),
            models.Index(fields=["-opened_at", "-id"], name="incidents_alert_newest"),
            models.Index(
                fields=["silenced_by"],
                condition=Q(silenced_by__isnull=False),
                name="incidents_alert_silenced",
            ),
            models.Index(
                fields=["origin"],
                condition=Q(origin__isnull=False),
                name="incidents_alert_origin",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.title}"

    @property
    def details(self) -> list[Detail]:
        """What it says besides its title, its words and its runbook, a line each."""
        said = {self.title, self.detail, self.runbook_url}
        return [line for line in details_of(self.labels, self.facts) if line.text not in said]

    @property
    def condition(self) -> tuple[int | None, str, str]:
        """Which condition it is of: a key of a source, of an integration's or of the portal's own."""
        return self.integration_id, self.source, self.dedup_key

    @property
    def group_digest(self) -> str:
        """Which alerts are one incident: those of one sender and service with one group key.

        The portal is one sender where its alerts have a group key; else each source is one.
        """
        own = "portal" if self.group_key else self.source
        sender = sender_of(self.integration_id) if self.integration_id else own
        return digest_of_group(sender, self.service_id, self.group_key or self.dedup_key)


def sender_of(integration: int) -> str:
    """Return how groups name the sender behind an integration, by its primary key."""
    return f"integration:{integration}"


# Of the alerts of a message one after the other is asked for.
@lru_cache(maxsize=1024)
def digest_of_group(sender: str, service: int | None, key: str) -> str:
    """Return the digest of a group; see `Alert.group_digest`."""
    return hashlib.sha256("\0".join((sender, str(service or ""), key)).encode()).hexdigest()


class AlertLogEntry(models.Model):
    """What happened to an alert, oldest first; rows are only ever added."""

    class Kind(models.TextChoices):
        OPENED = "opened", "Opened"
        REPEATED = "repeated", "Reported again"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        UNACKNOWLEDGED = "unacknowledged", "Acknowledgement withdrawn"
        RESOLVED = "resolved", "Resolved"
        NOTE = "note", "Note"

    # What most rows of a batch have in common (`core.bulk`).
    ALIKE = ("event_id", "at", "kind", "actor", "text")

    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, related_name="log", db_index=False, db_constraint=False
    )
    event = models.ForeignKey(
        "incidents.InboundEvent",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="log",
        db_constraint=False,
    )
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    actor = models.CharField(max_length=100, blank=True)
    text = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        indexes = [models.Index(fields=["alert", "at"], name="incidents_alert_log")]

    def __str__(self) -> str:
        return f"{self.kind} {self.text}".strip()
