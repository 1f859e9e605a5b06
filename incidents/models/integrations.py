"""Integrations: the keys with which other systems send alerts, and all that they ever sent."""

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.roles import Role
from catalog.models import WEB_ADDRESS, Service
from core.models import TimestampedModel

if TYPE_CHECKING:
    from accounts.models import User


class IntegrationQuerySet(models.QuerySet["Integration"]):
    """Reads of integrations."""

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        if user.has_role(Role.ADMIN):
            return self
        return self.filter(service__in=Service.objects.visible_to(user).values("pk"))


class Integration(TimestampedModel):
    """A key with which one system sends alerts about one service.

    The key is shown once; stored is its keyed hash. Rows are written by
    `incidents.services.integrations` only.
    """

    class Kind(models.TextChoices):
        ALERTMANAGER = "alertmanager", "Prometheus Alertmanager"
        PAGERDUTY = "pagerduty", "PagerDuty Events API"
        OPSGENIE = "opsgenie", "Opsgenie API"
        AMAZON_SNS = "amazon_sns", "Amazon SNS, CloudWatch"
        GRAFANA = "grafana", "Grafana"
        SENTRY = "sentry", "Sentry"
        DATADOG = "datadog", "Datadog"
        UPTIMEKUMA = "uptimekuma", "Uptime Kuma"
        HEALTHCHECKS = "healthchecks", "Healthchecks"
        GENERIC = "generic", "Any JSON webhook"

    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=120)
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="integrations")
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    key_hint = models.CharField(max_length=4, editable=False, help_text="How its key ends.")
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="A disabled one answers as if its key were unknown."
    )
    severity_map = models.JSONField(
        default=dict,
        blank=True,
        help_text='The sender\'s words and what they mean here, e.g. {"critical": "P0", "info": "none"}.',
    )
    mapping = models.JSONField(
        default=dict, blank=True, help_text="JMESPath by field, for any JSON webhook."
    )
    auto_resolve = models.BooleanField(
        default=True, help_text="An incident resolves by itself when all of its alerts have ended."
    )
    hold_off = models.DurationField(
        default=timedelta(),
        validators=[MinValueValidator(timedelta()), MaxValueValidator(timedelta(days=1))],
        help_text="How long alerts must have ended before it does: against flapping.",
    )
    topic_arn = models.CharField(
        "allowed topic", max_length=300, blank=True, help_text="SNS: the only topic that may send."
    )
    signing_secret = models.TextField(blank=True, editable=False)
    runbook_url = models.CharField(
        "runbook",
        max_length=500,
        blank=True,
        validators=[WEB_ADDRESS],
        help_text="Where the sender names none.",
    )

    objects = IntegrationQuerySet.as_manager()

    class Meta:
        ordering = ["service__slug", "kind", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def masked_key(self) -> str:
        """The key as lists show it."""
        return f"…{self.key_hint}"


class InboundEvent(models.Model):
    """One request of a known key, as it came: committed before the sender is thanked.

    `ev_receipt` shows these to SQL readers.
    """

    class State(models.TextChoices):
        PARSED = "parsed", "Understood"
        PARTLY = "partly", "Partly understood"
        UNPARSED = "unparsed", "Not understood"
        SETTLED = "settled", "Looked at"

    WAITING = (State.UNPARSED, State.PARTLY)

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    integration = models.ForeignKey(
        Integration, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    received_at = models.DateTimeField()
    address = models.CharField(max_length=600, help_text="Path without the key.")
    content_type = models.CharField(max_length=200, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    ext_id = models.CharField(
        max_length=512, blank=True, help_text="The sender's key of the first alert in it."
    )
    delivery_id = models.CharField(  # noqa: DJ001 most have none, and so no entry in its index
        max_length=100,
        null=True,
        blank=True,
        editable=False,
        help_text="What a sender that signs calls its message: a second one is a redelivery.",
    )
    state = models.CharField(max_length=10, choices=State.choices)
    problem = models.TextField(blank=True, help_text="What could not be read.")
    alerts = models.PositiveIntegerField(default=0, help_text="Alerts that it opened or changed.")

    class Meta:
        ordering = ["-received_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "delivery_id"],
                condition=Q(delivery_id__isnull=False),
                name="incidents_event_once_per_delivery",
            )
        ]
        indexes = [
            models.Index(fields=["integration", "-id"], name="incidents_event_newest"),
            models.Index(
                fields=["-id"],
                condition=Q(state__in=["unparsed", "partly"]),
                name="incidents_event_inbox",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.integration_id} {self.received_at:%Y-%m-%d %H:%M:%S}"

    @property
    def body_text(self) -> str:
        """The body for people to read: what is not UTF-8 in it replaced."""
        return (
            bytes(self.body).decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        )


class ChangeEvent(models.Model):
    """A deploy or another change that a sender told of; nobody is called for it."""

    integration = models.ForeignKey(Integration, on_delete=models.PROTECT, related_name="changes")
    service = models.ForeignKey(
        Service, on_delete=models.CASCADE, related_name="changes", db_index=False
    )
    at = models.DateTimeField()
    summary = models.CharField(max_length=1024)
    source = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["service", "-at"], name="incidents_change_newest")]

    def __str__(self) -> str:
        return self.summary
