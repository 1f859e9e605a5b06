"""Who does what in an incident, what is told of it, and the templates for that."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from core.models import TimestampedModel
from incidents.domain.communication import (
    PLACEHOLDERS,
    Audience,
    Kind,
    PublicState,
    mistakes_in,
)
from incidents.domain.roles import RoleName
from incidents.models.incidents import Incident

__all__ = ["LONGEST_UPDATE", "CommunicationTemplate", "IncidentRole", "StatusUpdate"]

LONGEST_UPDATE = 5_000
AUDIENCES = [(str(audience), audience.capitalize()) for audience in Audience]
PUBLIC_STATES = [(str(state), state.capitalize()) for state in PublicState]
ROLES = [(str(role), role.label) for role in RoleName]
KINDS = [
    (str(Kind.INITIAL), "Initial notification"),
    (str(Kind.UPDATE), "Status update"),
    (str(Kind.RESOLUTION), "Resolution"),
]


class IncidentRole(models.Model):
    """Who has one role in one incident, and to whom it is offered; without a row nobody has it.

    `incidents.services.roles` alone writes it.
    """

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="roles", db_index=False
    )
    role = models.CharField(max_length=16, choices=ROLES)
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="incident_roles",
    )
    holder_name = models.CharField(
        max_length=200, blank=True, help_text="Outlives the account; empty: nobody has the role."
    )
    since = models.DateTimeField(null=True, blank=True)
    offered_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="offered_roles",
    )
    offered_at = models.DateTimeField(null=True, blank=True)
    offered_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["incident", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "role"], name="incidents_role_once")
        ]

    def __str__(self) -> str:
        return f"{self.role} of #{self.incident_id}: {self.holder_name or 'nobody'}"


class StatusUpdate(models.Model):
    """What was told of an incident, inside or to everybody; rows are only ever added.

    Nothing else of an incident may be shown to the public: `queries.status_updates.public_updates`.
    """

    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="status_updates", db_index=False
    )
    audience = models.CharField(max_length=8, choices=AUDIENCES)
    state = models.CharField(
        max_length=13, choices=PUBLIC_STATES, blank=True, help_text="Of public ones."
    )
    text = models.TextField(max_length=LONGEST_UPDATE)
    author = models.CharField(max_length=200)
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                name="incidents_status_update_state_iff_public",
                condition=Q(audience=str(Audience.INTERNAL), state="")
                | Q(audience=str(Audience.PUBLIC), state__in=[str(state) for state in PublicState]),
            )
        ]
        indexes = [models.Index(fields=["incident", "at", "id"], name="incidents_status_update")]

    def __str__(self) -> str:
        return f"{self.audience} {self.state} {self.at:%Y-%m-%d %H:%M}".replace("  ", " ")


class CommunicationTemplate(TimestampedModel):
    """What a draft of an update begins with; where there is none of its sort, the built-in one holds."""

    kind = models.CharField(max_length=10, choices=KINDS)
    audience = models.CharField(max_length=8, choices=AUDIENCES)
    name = models.CharField(max_length=100)
    text = models.TextField(
        max_length=LONGEST_UPDATE,
        help_text="May have " + ", ".join(f"{{{name}}}" for name in PLACEHOLDERS) + ".",
    )

    class Meta:
        ordering = ["audience", "kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["audience", "kind", "name"],
                name="incidents_communication_template_name_once",
                violation_error_message="There is a template of this name for that already.",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what would not be filled in."""
        if wrong := mistakes_in(self.text):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise ValidationError(
                {"text": f"Nothing fills in {', '.join(wrong)}. There are: {known}."}
            )
