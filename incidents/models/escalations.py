"""Escalations, who answered them, the pages they send, and every attempt at sending one."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.alerts import Severity
from incidents.models.incidents import Incident
from notifications.models import ContactMethod
from oncall.domain.escalations import Ladder, Phase, Urgency, ladder_from

PHASES = [(str(phase), phase.capitalize()) for phase in Phase]
URGENCIES = [(str(urgency), urgency.capitalize()) for urgency in Urgency]


class LadderSnapshot(models.Model):
    """A ladder as a policy had it when walks up it began; many walks have the same one."""

    digest = models.CharField(max_length=64, primary_key=True, help_text="Of what it holds.")
    content = models.JSONField()

    def __str__(self) -> str:
        return self.digest[:12]


class CallDecision(models.Model):
    """What decided whom a step called, as it was found when it fired; many calls may have the same one.

    The entries of the timeline that say so name it in their facts; rows are only ever added.
    """

    facts = models.JSONField()

    def __str__(self) -> str:
        return f"Decision {self.pk}"


class RoundRobin(models.Model):
    """Whose turn it is at a level of a policy: it goes on with each call, in whatever incident."""

    policy = models.CharField(max_length=64, help_text="As ladders name it.")
    level = models.PositiveSmallIntegerField()
    turns = models.PositiveBigIntegerField(help_text="How many were taken.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["policy", "level"], name="incidents_round_robin_once")
        ]

    def __str__(self) -> str:
        return f"{self.policy} L{self.level}: {self.turns}"


class EscalationRun(models.Model):
    """One walk up a ladder: whom to call next for an incident, and when.

    The ladder is a snapshot of the policy as it was when the walk began.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        STOPPED = "stopped", "Stopped: acknowledged or resolved"
        EXHAUSTED = "exhausted", "Everybody was called"
        QUARANTINED = "quarantined", "Set aside: it failed five times"

    incident = models.ForeignKey(
        Incident,
        on_delete=models.CASCADE,
        related_name="runs",
        db_index=False,
        db_constraint=False,
    )
    cycle = models.PositiveIntegerField()
    phase = models.CharField(max_length=16, choices=PHASES)
    policy_name = models.CharField(max_length=120)
    snapshot = models.ForeignKey(
        LadderSnapshot,
        on_delete=models.PROTECT,
        related_name="runs",
        db_index=False,
        db_constraint=False,
    )
    loop = models.PositiveIntegerField(default=0)
    position = models.PositiveIntegerField(default=0, help_text="Of the step that fires next.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="When the next step fires.")
    look_at = models.DateTimeField(help_text="When a pager looks: due, or a lost claim runs out.")
    claims = models.PositiveSmallIntegerField(
        default=0, help_text="Claims since a step last fired; five set it aside."
    )
    fired_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "cycle", "phase"], name="incidents_run_once_per_phase"
            )
        ]
        indexes = [
            models.Index(fields=["look_at"], condition=Q(state="running"), name="incidents_run_due")
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}.{self.cycle} {self.phase}"

    @property
    def ladder(self) -> Ladder:
        """Its steps."""
        return ladder_from(self.snapshot.content)

    @property
    def next_step(self) -> str:
        """Which step fires next, told apart from every other one of every walk."""
        return f"{self.pk}.{self.loop}.{self.position}"


class Acknowledgement(models.Model):
    """One of several answers that an incident waits for; where one is enough there is no row."""

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="acknowledgements", db_index=False
    )
    cycle = models.PositiveIntegerField()
    actor = models.CharField(max_length=200)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "cycle", "actor"], name="incidents_acknowledged_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}.{self.cycle} {self.actor}"


class Page(models.Model):
    """One message that must reach one person, or one channel, by one method.

    Its key is made of incident, cycle, loop, step, target, method, reason, and which of a person's
    rules for the method it follows, so no process can make the same page twice. What it refers to is looked at once a batch (ADR 0019).
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        UNCERTAIN = "uncertain", "Uncertain: a crash cut the send, and it is sent at most once"

    OPEN = (State.WAITING, State.SENDING)
    # Somebody was told, or still may be.
    HOPEFUL = (*OPEN, State.SENT)

    key = models.CharField(max_length=64)
    incident = models.ForeignKey(
        Incident,
        on_delete=models.CASCADE,
        related_name="pages",
        db_index=False,
        db_constraint=False,
    )
    run = models.ForeignKey(
        EscalationRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="pages",
        db_index=False,
        db_constraint=False,
    )
    cycle = models.PositiveIntegerField()
    loop = models.PositiveIntegerField(default=0)
    step = models.PositiveIntegerField(help_text="1 is the first step of the ladder.")
    level = models.PositiveSmallIntegerField(default=0)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="pages",
        db_index=False,
        db_constraint=False,
    )
    method = models.ForeignKey(
        ContactMethod,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="pages",
        db_index=False,
        db_constraint=False,
    )
    target = models.CharField(max_length=200, help_text="Whom, e.g. user:alice.")
    channel = models.CharField(max_length=20, help_text="By what, e.g. email.")
    reason = models.CharField(max_length=40)
    urgency = models.CharField(max_length=4, choices=URGENCIES)
    severity = models.CharField(
        max_length=2, choices=Severity.choices, help_text="The incident's when it was made."
    )
    at_least_once = models.BooleanField(
        help_text="P0 and P1: sent again when a crash cut the send. Others: at most once."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    look_at = models.DateTimeField(help_text="When a pager looks: due, retried, or a lease ends.")
    owner = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    is_repeat = models.BooleanField(default=False, help_text="An earlier send may have arrived.")
    sent_at = models.DateTimeField(null=True, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [
            # A key is of one incident; beside its number it is found where its neighbours are.
            models.UniqueConstraint(fields=["incident", "key"], name="incidents_page_key_once")
        ]
        indexes = [
            models.Index(
                fields=["severity", "look_at"],
                condition=Q(state__in=["waiting", "sending"]),
                name="incidents_page_due",
            ),
            models.Index(fields=["person", "-created_at"], name="incidents_page_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.target} by {self.channel}"


class Attempt(models.Model):
    """One try at sending one page: written when it begins, ended once, never changed again."""

    class Outcome(models.TextChoices):
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain: whoever sent it died"

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="tries", db_index=False)
    number = models.PositiveSmallIntegerField()
    owner = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    provider_id = models.CharField(max_length=200, blank=True)
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["page", "number"]
        constraints = [
            models.UniqueConstraint(fields=["page", "number"], name="incidents_attempt_once"),
            models.CheckConstraint(
                name="incidents_attempt_outcome_iff_ended",
                condition=Q(ended_at=None, outcome="")
                | (Q(ended_at__isnull=False) & ~Q(outcome="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.page_id}.{self.number} {self.outcome}".strip()
