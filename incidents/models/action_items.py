"""What is still to be done about an incident, by whom and until when."""

from collections import defaultdict
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse

from accounts.models import User
from catalog.models import WEB_ADDRESS
from core.models import TimestampedModel
from core.zones import zone_of
from incidents.domain.action_items import day_in, is_overdue
from incidents.models.incidents import Incident

if TYPE_CHECKING:
    from datetime import date, datetime

_OPEN = Q(done_at=None, dropped_at=None)


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    """Reads of action items."""

    def open(self) -> Self:
        """Keep those that somebody must still do."""
        return self.filter(_OPEN)

    def visible_to(self, user: User) -> Self:
        """Keep those of incidents of services that `user` may know of."""
        return self.filter(incident__in=Incident.objects.visible_to(user).values("pk"))

    def overdue(self, now: "datetime") -> Self:
        """Keep those that are late, each by the day in its owner's time zone."""
        owners = User.objects.filter(pk__in=ActionItem.objects.open().values("owner"))
        zones: dict[date, list[str]] = defaultdict(list)
        for name in owners.order_by().values_list("timezone", flat=True).distinct():
            zones[day_in(zone_of(User(timezone=name)), now)].append(name)
        late = Q(owner=None, due_on__lt=day_in(zone_of(None), now))
        for day, those in zones.items():
            late |= Q(owner__timezone__in=those, due_on__lt=day)
        return self.open().filter(late)

    def soonest_first(self) -> Self:
        """Return them by when they are due; those without a day come last."""
        return self.order_by(F("due_on").asc(nulls_last=True), "pk")


class ActionItem(TimestampedModel):
    """One thing to be done about an incident; `incidents.services.action_items` alone changes it."""

    class Kind(models.TextChoices):
        TASK = "task", "Task"
        FOLLOW_UP = "follow_up", "Follow-up"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="action_items")
    kind = models.CharField(
        max_length=10,
        choices=Kind.choices,
        default=Kind.FOLLOW_UP,
        help_text="A task ends the incident; a follow-up keeps it from coming back.",
    )
    title = models.CharField(max_length=300, help_text="One sentence: what is done then?")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="action_items",
        help_text="A follow-up needs one: what is nobody's is not done.",
    )
    due_on = models.DateField(
        "due on",
        null=True,
        blank=True,
        help_text="Last day on which it is in time; a follow-up needs one.",
    )
    url = models.CharField(
        "ticket",
        max_length=500,
        blank=True,
        validators=[WEB_ADDRESS],
        help_text="Where else it is tracked: http or https.",
    )
    created_by = models.CharField(max_length=200, editable=False)
    done_at = models.DateTimeField(null=True, blank=True, editable=False)
    done_by = models.CharField(max_length=200, blank=True, editable=False)
    dropped_at = models.DateTimeField(null=True, blank=True, editable=False)
    dropped_by = models.CharField(max_length=200, blank=True, editable=False)
    drop_reason = models.CharField(
        max_length=500, blank=True, editable=False, help_text="Why it is not done."
    )

    objects = ActionItemQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                name="incidents_action_item_ends_once",
                condition=Q(done_at=None) | Q(dropped_at=None),
            ),
            models.CheckConstraint(
                name="incidents_action_item_dropped_for_a_reason",
                condition=Q(dropped_at=None) | ~Q(drop_reason=""),
            ),
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=_OPEN, name="incidents_action_item_open")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def state(self) -> str:
        """Whether it is `open`, `done` or `dropped`."""
        if self.done_at is not None:
            return "done"
        return "open" if self.dropped_at is None else "dropped"

    @property
    def whose(self) -> str:
        """Return its owner's name, and whether they are gone; "" where nobody owns it."""
        return self.owner.named if self.owner else ""

    def is_overdue(self, now: "datetime") -> bool:
        """Return whether it is late, by the day in its owner's time zone; UTC without one."""
        return self.state == "open" and is_overdue(self.due_on, zone_of(self.owner), now)

    def get_absolute_url(self) -> str:
        """Return its page."""
        return reverse("followup:item", args=[self.pk])
