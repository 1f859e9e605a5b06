"""Postmortems: what is learnt from an incident, who looked through it, and of which one is asked for."""

from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.urls import reverse

from accounts.roles import Role
from core.models import TimestampedModel
from incidents.domain.postmortems import LONGEST_TIME, SECTIONS, SHORTEST_TIME, Status
from incidents.models.alerts import Severity
from incidents.models.incidents import Incident

if TYPE_CHECKING:
    from accounts.models import User

STATUSES = [(str(status), status.replace("_", " ").capitalize()) for status in Status]


class PostmortemQuerySet(models.QuerySet["Postmortem"]):
    """Reads of postmortems."""

    def visible_to(self, user: "User") -> Self:
        """Keep those of incidents that `user` may know of; what is not published is for responders."""
        rows = self.filter(incident__in=Incident.objects.visible_to(user).values("pk"))
        return rows if user.has_role(Role.RESPONDER) else rows.filter(status=Status.PUBLISHED)


class Postmortem(TimestampedModel):
    """What is learnt from one incident, by whose number it goes; texts are Markdown.

    `incidents.services.postmortems` alone changes it.
    """

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, related_name="postmortem", primary_key=True
    )
    status = models.CharField(max_length=10, choices=STATUSES, default=Status.DRAFT, editable=False)
    summary = models.TextField(blank=True)
    impact = models.TextField(blank=True)
    root_cause = models.TextField(blank=True)
    trigger = models.TextField(blank=True)
    detection = models.TextField(blank=True)
    timeline = models.TextField(blank=True)
    went_well = models.TextField(blank=True)
    went_badly = models.TextField(blank=True)
    lessons = models.TextField(blank=True)
    budget_cost = models.TextField(blank=True)
    page_log = models.TextField(blank=True)
    due_at = models.DateTimeField(
        null=True, blank=True, help_text="Another time than the policy's; empty: as it says."
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who began it.",
    )
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who wrote last.",
    )
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Who asked for the review.",
    )
    round = models.PositiveIntegerField(
        default=0, editable=False, help_text="How often a review was asked for."
    )
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with each change of its texts."
    )
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.CharField(max_length=200, blank=True, editable=False)

    objects = PostmortemQuerySet.as_manager()

    class Meta:
        ordering = ["-incident"]
        constraints = [
            models.CheckConstraint(
                name="incidents_postmortem_published_at_iff_published",
                condition=Q(status="published", published_at__isnull=False)
                | (~Q(status="published") & Q(published_at=None)),
            )
        ]

    def __str__(self) -> str:
        return f"Postmortem of #{self.pk}"

    @property
    def texts(self) -> dict[str, str]:
        """Return its sections by name, in their order."""
        return {section.name: getattr(self, section.name) for section in SECTIONS}

    def get_absolute_url(self) -> str:
        """Return its page."""
        return reverse("followup:postmortem", args=[self.pk])


class PostmortemReview(models.Model):
    """What one person said of a postmortem in one round of review; it is only ever added to."""

    class Verdict(models.TextChoices):
        APPROVED = "approved", "Approved"
        SENT_BACK = "sent_back", "Sent back"

    postmortem = models.ForeignKey(Postmortem, on_delete=models.CASCADE, related_name="reviews")
    round = models.PositiveIntegerField()
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    actor = models.CharField(max_length=200)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    comment = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["postmortem", "round", "person"],
                condition=Q(verdict="approved"),
                name="incidents_postmortem_approved_once_a_round",
            )
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.verdict}"


class PostmortemPolicy(TimestampedModel):
    """Whether incidents of one severity ask for a postmortem; without a row the defaults hold."""

    severity = models.CharField(max_length=2, choices=Severity.choices, unique=True)
    is_required = models.BooleanField(
        "required", default=True, help_text="They are closed once a postmortem is published."
    )
    within = models.DurationField(help_text="From the resolution to the publication.")

    class Meta:
        ordering = ["severity"]
        verbose_name_plural = "postmortem policies"

    def __str__(self) -> str:
        return self.severity

    def clean(self) -> None:
        """Refuse times that nobody can keep, or that nobody would notice to be missed."""
        if self.within is not None and not SHORTEST_TIME <= self.within <= LONGEST_TIME:
            raise ValidationError({"within": "From 1 hour to 365 days, e.g. 7 00:00:00."})
