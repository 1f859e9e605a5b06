"""Who hears of public updates by email, and what was sent to whom."""

from collections.abc import Collection
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q

from incidents.models import Maintenance, StatusUpdate
from statuspage.domain.maintenance_news import News
from statuspage.models.components import Component
from statuspage.tokens import new_key

# What takes a message and says nothing is asked no more than so often.
MOST_ATTEMPTS = 6


class Delivery(models.TextChoices):
    """How a message stands."""

    DUE = "due", "Due"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    UNCERTAIN = "uncertain", "May have arrived"


class Outgoing(models.Model):
    """A message that is sent once at most: what may have arrived is not sent again."""

    state = models.CharField(max_length=9, choices=Delivery.choices, default=Delivery.DUE)
    send_at = models.DateTimeField(help_text="Not before; later after each failure.")
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(
        null=True, blank=True, help_text="Whoever sends it has ended by then."
    )
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True, help_text="Why the last attempt failed.")

    class Meta:
        abstract = True


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    """Reads of subscribers."""

    def wanting(self, components: Collection[int]) -> Self:
        """Keep who asked for one of some components, by their keys, and who asked for all there are."""
        chosen = Subscriber.components.through.objects.filter(subscriber=OuterRef("pk"))
        return self.filter(~Exists(chosen) | Exists(chosen.filter(component__in=components)))


class Subscriber(models.Model):
    """An address whose owner asked to be told, and confirmed it."""

    email = models.EmailField(unique=True, help_text="In lower case.")
    key = models.CharField(
        max_length=32,
        unique=True,
        default=new_key,
        editable=False,
        help_text="Names the subscription in links, which are signed.",
    )
    components = models.ManyToManyField(
        Component, blank=True, related_name="subscribers", help_text="Empty: all of them."
    )
    confirmed_at = models.DateTimeField()

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        ordering = ["email"]

    def __str__(self) -> str:
        return self.email


class SubscriptionRequest(Outgoing):
    """Somebody typed an address; its owner is asked, and forgotten where no answer comes."""

    email = models.EmailField(help_text="In lower case.")
    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    components = models.ManyToManyField(Component, blank=True, help_text="Empty: all of them.")
    requested_at = models.DateTimeField()

    class Meta:
        ordering = ["-requested_at", "-pk"]
        indexes = [
            models.Index(fields=["requested_at"], name="statuspage_request_age"),
            models.Index(
                fields=["send_at"],
                condition=Q(state__in=["due", "sending"]),
                name="statuspage_request_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email}, {self.requested_at:%Y-%m-%d %H:%M}"


class Announcement(models.Model):
    """A public update whose notices were written: by whom it is found, it is not announced again."""

    update = models.OneToOneField(
        StatusUpdate, on_delete=models.CASCADE, related_name="announcement"
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.update_id}, {self.at:%Y-%m-%d %H:%M}"


class Notice(Outgoing):
    """One update for one subscriber."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="notices")
    update = models.ForeignKey(StatusUpdate, on_delete=models.CASCADE, related_name="notices")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "update"], name="statuspage_notice_once")
        ]
        indexes = [
            models.Index(
                fields=["send_at"],
                condition=Q(state__in=["due", "sending"]),
                name="statuspage_notice_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.update_id} to {self.subscriber_id}"


class MaintenanceAnnouncement(models.Model):
    """What subscribers were told of an occurrence of maintenance; each once, whoever tells it."""

    maintenance = models.ForeignKey(
        Maintenance, on_delete=models.CASCADE, related_name="announcements"
    )
    occurrence_at = models.DateTimeField(help_text="When that occurrence was planned to begin.")
    ends_at = models.DateTimeField(help_text="When it ends, or ended, as it was told.")
    kind = models.CharField(max_length=11, choices=[(str(news), news.label) for news in News])
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["maintenance", "occurrence_at", "kind"],
                name="statuspage_maintenance_told_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.occurrence_at:%Y-%m-%d %H:%M}"


class MaintenanceNotice(Outgoing):
    """One such news for one subscriber."""

    subscriber = models.ForeignKey(
        Subscriber, on_delete=models.CASCADE, related_name="maintenance_notices"
    )
    announcement = models.ForeignKey(
        MaintenanceAnnouncement, on_delete=models.CASCADE, related_name="notices"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscriber", "announcement"], name="statuspage_maintenance_notice_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["send_at"],
                condition=Q(state__in=["due", "sending"]),
                name="statuspage_work_notice_due",
            )
        ]

    def __str__(self) -> str:
        return f"{self.announcement_id} to {self.subscriber_id}"
