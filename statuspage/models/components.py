"""Components of the public page, and the groups they stand in."""

from typing import TYPE_CHECKING, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q

from catalog.models import Service
from core.models import TimestampedModel
from slo.models import Slo
from statuspage.domain.statuses import Status
from statuspage.models.public_ids import LENGTH, new_public_id

if TYPE_CHECKING:
    from accounts.models import User

STATUSES = [(str(status), status.label) for status in Status]


class ComponentGroup(TimestampedModel):
    """Components under one heading."""

    public_id = models.CharField(
        max_length=LENGTH, unique=True, default=new_public_id, editable=False
    )
    name = models.CharField(max_length=120, unique=True, help_text="As the public reads it.")
    order = models.PositiveIntegerField(default=0, help_text="Lower ones come first.")

    class Meta:
        ordering = ["order", "name"]

    def __str__(self) -> str:
        return self.name


class ComponentQuerySet(models.QuerySet["Component"]):
    """Reads of components."""

    def shown(self) -> Self:
        """Keep those that the public sees, in their order."""
        return (
            self.filter(is_shown=True)
            .select_related("group")
            .order_by("group__order", "group__name", "order", "name", "pk")
        )

    def with_known(self, user: "User") -> Self:
        """Say of each whether `user` may know its service and its objective: the names are internal."""
        services = Service.objects.visible_to(user).filter(pk=OuterRef("service"))
        slos = Slo.objects.visible_to(user).filter(pk=OuterRef("slo"))
        return self.annotate(knows_service=Exists(services), knows_slo=Exists(slos))


class Component(TimestampedModel):
    """A part of what is offered, as its users call it.

    `statuspage.services.components` changes it.
    """

    public_id = models.CharField(
        max_length=LENGTH, unique=True, default=new_public_id, editable=False
    )
    name = models.CharField(
        max_length=120,
        help_text="As the public reads it; no name of a host or a service is needed.",
    )
    description = models.CharField(max_length=300, blank=True, help_text="Public, too.")
    group = models.ForeignKey(
        ComponentGroup,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="components",
        help_text="Heading that it stands under; empty for none.",
    )
    order = models.PositiveIntegerField(default=0, help_text="Lower ones come first.")
    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="status_components",
        help_text="Its incidents and maintenance concern the component; its name is not shown.",
    )
    slo = models.ForeignKey(
        Slo,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="status_components",
        verbose_name="SLO",
        help_text="Whose days the bars show; empty for no bars. Counts are public then.",
    )
    is_shown = models.BooleanField("shown", default=True, help_text="On the public page.")
    shows_maintenance = models.BooleanField(
        default=True,
        help_text="Maintenance of its service is shown, without the comment that it has.",
    )
    manual_status = models.CharField(
        max_length=20,
        blank=True,
        choices=STATUSES,
        help_text="Holds until it is emptied again; empty: worked out of incidents and maintenance.",
    )

    objects = ComponentQuerySet.as_manager()

    class Meta:
        ordering = ["group__order", "group__name", "order", "name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["group", "name"],
                name="statuspage_component_name_in_group",
                violation_error_message="The group has a component of this name already.",
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(group=None),
                name="statuspage_component_name_without_group",
                violation_error_message="There is a component of this name without a group already.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group} / {self.name}" if self.group_id else self.name

    def clean(self) -> None:
        """Refuse bars that measure something else than what incidents are about."""
        super().clean()
        measured = self.slo.sli.service_id if self.slo else None
        if measured and self.service_id and measured != self.service_id:
            raise ValidationError(
                {
                    "slo": "It measures another service than the component's: choose one of that"
                    " service, or leave the service empty."
                }
            )

    @property
    def override(self) -> Status | None:
        """What was set by hand; None where it is worked out."""
        return Status(self.manual_status) if self.manual_status else None
