"""What the public sees of incidents and maintenance: titles of their own, and what is affected.

Nothing of an incident itself is public, its title least of all: that comes from alerts.
"""

from django.db import models

from core.models import TimestampedModel
from incidents.models import Incident, Maintenance
from incidents.public_pages import NEUTRAL
from statuspage.domain.statuses import Impact
from statuspage.models.components import STATUSES, Component
from statuspage.models.public_ids import LENGTH, new_public_id

IMPACTS = [(str(impact), impact.capitalize()) for impact in Impact]


class PublicIncident(TimestampedModel):
    """An incident as the public page has it; shown from its first public update on."""

    UNTITLED = "Service disruption"

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, related_name="public_incident"
    )
    public_id = models.CharField(
        max_length=LENGTH, unique=True, default=new_public_id, editable=False
    )
    title = models.CharField(
        max_length=200,
        default=UNTITLED,
        help_text="As the public reads it; the incident's own title is never shown.",
    )
    impact = models.CharField(
        max_length=8,
        blank=True,
        choices=IMPACTS,
        help_text="Empty: as bad as the worst of the affected components.",
    )
    components = models.ManyToManyField(
        Component, through="AffectedComponent", related_name="public_incidents"
    )

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.title


class AffectedComponent(models.Model):
    """How a component is while an incident lasts."""

    public_incident = models.ForeignKey(
        PublicIncident, on_delete=models.CASCADE, related_name="affected"
    )
    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="affected_by")
    status = models.CharField(max_length=20, choices=STATUSES)

    class Meta:
        ordering = ["component__order", "component__name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["public_incident", "component"], name="statuspage_affected_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.get_status_display()}"


class PublicMaintenance(TimestampedModel):
    """What the public reads of maintenance, where more is said than that there is some."""

    UNTITLED = NEUTRAL

    maintenance = models.OneToOneField(
        Maintenance, on_delete=models.CASCADE, related_name="public_maintenance"
    )
    title = models.CharField(max_length=200, default=UNTITLED, help_text="As the public reads it.")
    text = models.TextField(blank=True, help_text="What users notice; public.")
    is_shown = models.BooleanField("shown", default=True, help_text="On the public page.")

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = "public maintenance"

    def __str__(self) -> str:
        return self.title
