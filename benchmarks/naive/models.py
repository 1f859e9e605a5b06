"""One row per request."""

from django.db import models


class RequestRow(models.Model):
    """One answered request, as it came."""

    service = models.CharField(max_length=63)
    endpoint = models.CharField(max_length=200)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    duration_ms = models.FloatField()
    timestamp = models.DateTimeField()

    objects: models.Manager["RequestRow"] = models.Manager()

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return f"{self.service} {self.endpoint} {self.status}"
