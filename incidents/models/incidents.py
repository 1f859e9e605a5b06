"""Incidents: one disruption of one service, what happened in it, and its timers."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse

from catalog.models import Service, of_known_services
from core.models import TimestampedModel
from incidents.domain.lifecycle import OPEN, Status
from incidents.domain.response_targets import LONGEST, SHORTEST, Standing
from incidents.models.alerts import Severity

if TYPE_CHECKING:
    from accounts.models import User

OPEN_STATES = sorted(OPEN)
_IS_OPEN = Q(status__in=OPEN_STATES)
STATUSES = [(str(status), status.capitalize()) for status in Status]
# How pages say what was done, where its name alone does not.
ACTS = {
    "open": "Opened",
    "call": "Called",
    "paged": "Message taken by its provider",
    "page_failed": "Message not sent",
    "page_delivered": "Message delivered",
    "fallback": "Fallback contact",
    "acknowledge": "Acknowledged",
    "unacknowledge": "Given back",
    "snooze": "Snoozed",
    "mitigate": "Mitigated",
    "resolve": "Resolved",
    "reopen": "Reopened",
    "close": "Closed",
    "escalate": "Escalated by hand",
    "assign": "Assigned",
    "merge": "Merged",
    "merged": "Took in",
    "unmerge": "Taken out again",
    "unmerged": "Gave back",
    "alert_fired": "Another alert",
    "alert_resolved": "An alert ended",
    "urgent_alert": "Urgent",
    "released": "Silence over",
    "response": "Response timer",
    "resolution": "Resolution timer",
    "still_on_it": "Still on it?",
    "channel": "Channel opened",
    "split": "Split",
    "split_off": "Split off from",
    "relate": "Related",
    "unrelate": "No longer related",
}
STANDINGS = [(str(standing), standing.replace("_", " ").capitalize()) for standing in Standing]


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Reads of incidents."""

    def open(self) -> Self:
        """Keep those about which somebody must still do something."""
        return self.filter(_IS_OPEN)

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        return self.filter(of_known_services(user))


class Incident(TimestampedModel):
    """One disruption of one service, from its first alert to its resolution.

    `incidents.services.lifecycle` alone changes `status`.
    """

    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="incidents",
        db_index=False,
    )
    integration = models.ForeignKey(
        "incidents.Integration",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        editable=False,
    )
    group = models.CharField(
        max_length=64, editable=False, help_text="Digest of what belongs together while it is open."
    )
    severity = models.CharField(max_length=2, choices=Severity.choices)
    is_severity_set = models.BooleanField(
        default=False, editable=False, help_text="A person set it, so alerts no longer raise it."
    )
    title = models.CharField(max_length=1024)
    summary = models.TextField(blank=True, help_text="What is known, for those who join.")
    status = models.CharField(
        max_length=12, choices=STATUSES, default=Status.TRIGGERED, editable=False
    )
    cycle = models.PositiveIntegerField(
        default=1, editable=False, help_text="How often people began to be called for it."
    )
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="assigned_incidents",
    )
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="merged",
    )
    related = models.ManyToManyField("self", blank=True)
    opened_at = models.DateTimeField(editable=False)
    acknowledged_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="First time in this cycle."
    )
    acknowledged_by = models.CharField(max_length=200, blank=True, editable=False)
    responded_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="First acknowledgement of all."
    )
    calling_ended_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="First time that nobody else had to be called: enough had acknowledged, or it was over.",
    )
    mitigated_at = models.DateTimeField(null=True, blank=True, editable=False)
    resolved_at = models.DateTimeField(null=True, blank=True, editable=False)
    resolved_by = models.CharField(max_length=200, blank=True, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    snoozed_until = models.DateTimeField(null=True, blank=True, editable=False)
    held_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="All alerts ended; it resolves then."
    )
    is_flapping = models.BooleanField(default=False, editable=False)
    response = models.CharField(
        max_length=10, choices=STANDINGS, default=Standing.ON_TRACK, editable=False
    )
    resolution = models.CharField(
        max_length=10, choices=STANDINGS, default=Standing.ON_TRACK, editable=False
    )
    unreached = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why nobody could be called."
    )

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["group"], condition=_IS_OPEN, name="incidents_incident_one_open_of_group"
            ),
            models.CheckConstraint(
                name="incidents_incident_resolved_at_iff_resolved",
                condition=Q(status__in=["resolved", "closed"], resolved_at__isnull=False)
                | (~Q(status__in=["resolved", "closed"]) & Q(resolved_at=None)),
            ),
            models.CheckConstraint(
                name="incidents_incident_merged_iff_merged",
                condition=Q(status="merged", merged_into__isnull=False)
                | (~Q(status="merged") & Q(merged_into=None)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["severity", "-opened_at"],
                condition=_IS_OPEN,
                name="incidents_incident_open",
            ),
            models.Index(
                fields=["group"],
                condition=Q(status__in=[*OPEN_STATES, Status.MERGED.value]),
                name="incidents_incident_of_group",
            ),
            models.Index(fields=["-opened_at", "-id"], name="incidents_incident_newest"),
            models.Index(
                fields=["assigned_to"],
                condition=Q(assigned_to__isnull=False),
                name="incidents_incident_assigned",
            ),
            models.Index(
                fields=["merged_into"],
                condition=Q(merged_into__isnull=False),
                name="incidents_incident_merged",
            ),
            models.Index(fields=["service", "-opened_at"], name="incidents_incident_of_service"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def is_open(self) -> bool:
        """Whether somebody must still do something about it."""
        return self.status in OPEN

    def get_absolute_url(self) -> str:
        """Return its page, short enough to be read out."""
        return reverse("incident:detail", args=[self.pk])


class TimelineEntry(models.Model):
    """What happened in an incident, oldest first; rows are only ever added."""

    class Kind(models.TextChoices):
        OPENED = "opened", "Opened"
        ALERT = "alert", "Alert"
        ACTION = "action", "Action"
        ESCALATION = "escalation", "Escalation"
        PAGE = "page", "Page"
        TIMER = "timer", "Timer"
        NOTE = "note", "Note"

    # What most rows of a batch have in common (`core.bulk`).
    ALIKE = ("incident_id", "at", "kind", "act", "actor")

    incident = models.ForeignKey(
        Incident,
        on_delete=models.CASCADE,
        related_name="timeline",
        db_index=False,
        db_constraint=False,
    )
    at = models.DateTimeField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    act = models.CharField(max_length=40, help_text="What was done, e.g. acknowledge.")
    actor = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["at", "pk"]
        verbose_name_plural = "timeline entries"
        indexes = [models.Index(fields=["incident", "at", "id"], name="incidents_timeline")]

    def __str__(self) -> str:
        return f"{self.act} {self.text}".strip()

    def get_act_display(self) -> str:
        """Return what was done, as pages say it."""
        return ACTS.get(self.act, self.act.replace("_", " ").capitalize())


class ResponseTarget(TimestampedModel):
    """How soon one severity wants an answer and an end; without a row the defaults hold."""

    severity = models.CharField(max_length=2, choices=Severity.choices, unique=True)
    respond_within = models.DurationField(help_text="From opening to the first acknowledgement.")
    resolve_within = models.DurationField(help_text="From opening to the resolution.")
    update_every = models.DurationField(help_text="How often those who wait hear something.")

    class Meta:
        ordering = ["severity"]
        constraints = [
            models.CheckConstraint(
                name="incidents_response_target_in_order",
                condition=Q(resolve_within__gte=models.F("respond_within")),
                violation_error_message="An incident is not resolved before it is answered.",
            )
        ]

    def __str__(self) -> str:
        return self.severity

    def clean(self) -> None:
        """Refuse spans that nobody can keep, or that nobody would notice to be missed."""
        given = (
            (name, getattr(self, name))
            for name in ("respond_within", "resolve_within", "update_every")
        )
        if wrong := {
            name: "From 1 minute to 90 days, e.g. 00:15:00 or 3 00:00:00."
            for name, span in given
            if span is not None and not SHORTEST <= span <= LONGEST
        }:
            raise ValidationError(wrong)


class Deadline(models.Model):
    """One moment at which something about an incident is due; the pager looks at it then."""

    class Kind(models.TextChoices):
        RESPONSE_AT_RISK = "response_at_risk", "Response at risk"
        RESPONSE_BREACHED = "response_breached", "Response breached"
        RESOLUTION_AT_RISK = "resolution_at_risk", "Resolution at risk"
        RESOLUTION_BREACHED = "resolution_breached", "Resolution breached"
        SNOOZE_ENDS = "snooze_ends", "Snooze ends"
        AUTO_RESOLVE = "auto_resolve", "Resolves by itself"
        ACK_TIMEOUT = "ack_timeout", "Still on it?"
        ACK_LAPSE = "ack_lapse", "Acknowledgement lapses"

    incident = models.ForeignKey(
        Incident,
        on_delete=models.CASCADE,
        related_name="deadlines",
        db_index=False,
        db_constraint=False,
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    due_at = models.DateTimeField()
    look_at = models.DateTimeField(help_text="When a pager looks: due, or a lost claim runs out.")
    claims = models.PositiveSmallIntegerField(default=0)
    is_open = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "kind"], name="incidents_deadline_once_per_kind"
            )
        ]
        indexes = [
            models.Index(
                fields=["look_at"], condition=Q(is_open=True), name="incidents_deadline_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.due_at:%Y-%m-%d %H:%M:%S}"


class IncidentChannel(models.Model):
    """The channel in which people work on an incident."""

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, related_name="channel", primary_key=True
    )
    name = models.CharField(max_length=80)
    channel_id = models.CharField(
        max_length=40, blank=True, help_text="The chat's own; empty: none."
    )
    tries = models.PositiveSmallIntegerField(default=0)
    tried_at = models.DateTimeField()
    problem = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return f"#{self.name}"
