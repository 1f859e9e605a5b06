"""Packed slices: what was counted, by minute, hour and day."""

from django.db import models


class SliceBlock(models.Model):
    """The counts of all SLIs for one minute, hour or day, packed (`slo.domain.blocks`)."""

    class Resolution(models.IntegerChoices):
        MINUTE = 1, "minute"
        HOUR = 60, "hour"
        DAY = 1440, "day"

    resolution = models.PositiveSmallIntegerField(choices=Resolution.choices)
    start = models.DateTimeField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resolution", "start"], name="slo_block_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_resolution_display()} {self.start:%Y-%m-%d %H:%M}"
