"""What the portal read about the capacity of services."""

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q

from accounts.roles import Role
from capacity.domain.verdict import Verdict
from catalog.models import Service

if TYPE_CHECKING:
    from accounts.models import User

VERDICTS = [(verdict.value, verdict.value.title()) for verdict in Verdict]


class CapacityReportQuerySet(models.QuerySet["CapacityReport"]):
    """Reads of capacity reports."""

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        if user.has_role(Role.ADMIN):
            return self
        return self.filter(service__in=Service.objects.visible_to(user).values("pk"))


class CapacityReport(models.Model):
    """How full one service was over one window, as AWS told it at `read_at`.

    Null is no data; `errors` says why. Rows are written by `capacity.services.reading` only.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="capacity_reports")
    read_at = models.DateTimeField(help_text="Slot of the tick that asked AWS.")
    window_start = models.DateTimeField()
    window_end = models.DateTimeField()
    cpu = models.FloatField(null=True, help_text="Average, as a fraction of what tasks have.")
    cpu_max = models.FloatField(null=True, help_text="Highest minute, as a fraction.")
    cpu_recent = models.FloatField(
        null=True, help_text="Average of the window's last five minutes, as a fraction."
    )
    memory = models.FloatField(null=True, help_text="Average, as a fraction of what tasks have.")
    memory_max = models.FloatField(null=True, help_text="Highest minute, as a fraction.")
    memory_recent = models.FloatField(
        null=True, help_text="Average of the window's last five minutes, as a fraction."
    )
    connections = models.FloatField(null=True, help_text="Most in use, as a fraction of the limit.")
    connections_in_use = models.FloatField(null=True, help_text="Most at one time (count).")
    connections_limit = models.PositiveIntegerField(
        null=True, help_text="What is admitted (count)."
    )
    p95_ms = models.FloatField(null=True, help_text="p95 of the middle minute, milliseconds.")
    tasks_running = models.PositiveIntegerField(null=True)
    tasks_desired = models.PositiveIntegerField(null=True)
    status = models.CharField(max_length=8, choices=VERDICTS)
    recommendations = models.JSONField(default=list, blank=True)
    errors = models.JSONField(
        default=dict, blank=True, help_text="By figure, why it is missing or incomplete."
    )

    objects = CapacityReportQuerySet.as_manager()

    class Meta:
        ordering = ["-read_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "read_at"], name="capacity_report_once_a_reading"
            ),
            models.CheckConstraint(
                name="capacity_report_window_has_length",
                condition=Q(window_start__lt=models.F("window_end")),
            ),
        ]
        indexes = [models.Index(fields=["-read_at"], name="capacity_report_newest")]

    def __str__(self) -> str:
        return f"{self.service_id} {self.read_at:%Y-%m-%d %H:%M}"
