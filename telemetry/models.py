"""Measurements: the log of batches, and the minute counts they are merged into."""

from datetime import datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from catalog.models import Service
from telemetry.domain.buckets import own_bounds


class TelemetryDelta(models.Model):
    """One accepted batch, rolled up, until it is merged into the minute counts.

    Appended and committed before the sender is answered; `telemetry.services.compaction` deletes
    it in the transaction that adds it. A row that cannot be merged is set aside, never dropped.
    """

    received_at = models.DateTimeField()
    token_id = models.BigIntegerField(null=True, help_text="API token that sent it, if any.")
    size = models.PositiveIntegerField(help_text="Bytes that merging holds in memory for it.")
    payload = models.BinaryField(
        help_text="telemetry.domain.deltas.Delta or telemetry.domain.otlp.points.Block, packed."
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    quarantined_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["quarantined_at"],
                name="telemetry_delta_quarantined",
                condition=Q(quarantined_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}"


class BatchReceipt(models.Model):
    """The answer to a batch that came with an idempotency key, to be given again."""

    token_id = models.BigIntegerField(default=0, help_text="API token; 0 for the portal itself.")
    key = models.CharField(max_length=200)
    digest = models.BinaryField(help_text="SHA-256 of the decoded body.")
    answer = models.JSONField()
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["token_id", "key"], name="telemetry_receipt_once")
        ]

    def __str__(self) -> str:
        return self.key


class ServiceTelemetry(models.Model):
    """What is known of a service's telemetry as a whole. Times have the resolution of a minute."""

    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, primary_key=True, related_name="telemetry"
    )
    own_bounds_ms = models.JSONField(
        default=list,
        blank=True,
        help_text="Latency bounds (ms) this service adds to the default ones, e.g. [120, 350].",
    )
    first_event_at = models.DateTimeField(null=True, blank=True)
    last_event_at = models.DateTimeField(null=True, blank=True)
    first_cover_at = models.DateTimeField(
        null=True, blank=True, help_text="From here on its reporters say which minutes were seen."
    )

    class Meta:
        verbose_name_plural = "service telemetry"

    def __str__(self) -> str:
        return f"telemetry of {self.service_id}"

    def clean(self) -> None:
        """Refuse bounds that cannot be counted over."""
        given = self.own_bounds_ms
        if not isinstance(given, list) or any(type(bound) is not int for bound in given):
            raise ValidationError({"own_bounds_ms": "Give a list of whole milliseconds."})
        try:
            own_bounds(given)
        except ValueError as error:
            raise ValidationError({"own_bounds_ms": str(error)}) from error


class Series(models.Model):
    """One name that a service's measurements are kept by: an endpoint, or a freshness source.

    Beyond the cap of a service and kind, further names are counted as "(other)".
    """

    class Kind(models.TextChoices):
        ENDPOINT = "endpoint", "Endpoint"
        SOURCE = "source", "Freshness source"

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="series")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=200)
    first_seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "series"
        ordering = ["kind", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "kind", "name"], name="telemetry_series_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MinuteCountQuerySet(models.QuerySet["MinuteCount"]):
    """Reads of minute counts."""

    def between(self, start: datetime, end: datetime) -> Self:
        """Keep the minutes that begin in [start, end)."""
        return self.filter(minute__gte=start, minute__lt=end)


class MinuteCount(models.Model):
    """Requests of one service, endpoint, method and status in one minute.

    The database is not asked a thousand times a second whether the service exists: whoever adds rows
    holds their services, and on PostgreSQL a trigger takes the rows away with their service. What a
    row counts is its key: a number of its own would be a second index to write.
    """

    pk = models.CompositePrimaryKey(
        "service", "minute", "endpoint", "method", "status", "own_bounds_ms"
    )
    service = models.ForeignKey(
        Service,
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    minute = models.DateTimeField()
    endpoint = models.CharField(max_length=200)
    method = models.CharField(max_length=10, blank=True)
    status = models.PositiveSmallIntegerField()
    own_bounds_ms = models.CharField(
        max_length=100, blank=True, help_text="Bounds the service added at that time, e.g. 120,350."
    )
    count = models.BigIntegerField()
    sum_ms = models.FloatField()
    buckets = models.BinaryField(help_text="Counts per bound as msgpack, the last above all.")

    objects = MinuteCountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.service_id} {self.endpoint} {self.status} {self.minute:%Y-%m-%d %H:%M}"


class MinuteFreshness(models.Model):
    """Freshness reports of one service and source in one minute."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.DateTimeField()
    source = models.CharField(max_length=200)
    count = models.BigIntegerField()
    buckets = models.BinaryField(help_text="Counts per age bound as msgpack, the last above all.")

    class Meta:
        verbose_name_plural = "minute freshness"
        constraints = [
            models.UniqueConstraint(
                fields=["service", "minute", "source"], name="telemetry_minute_freshness_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.source} {self.minute:%Y-%m-%d %H:%M}"


class CoveredMinute(models.Model):
    """A minute in which a reporter of the service was alive, whether or not requests came."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "minute"], name="telemetry_covered_once")
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.minute:%Y-%m-%d %H:%M}"


class ImportedLog(models.Model):
    """How far an access log was counted: its first `size` bytes, unpacked, hash to `digest`.

    One row per chunk, written with its batch, so that no line is counted twice. From the first to
    the last minute the log says what happened, also where it is silent.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=500, help_text="Path or address it was imported from.")
    size = models.BigIntegerField(help_text="Bytes from its beginning, unpacked.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of these bytes.")
    lines = models.BigIntegerField(help_text="Lines in them.")
    first_minute = models.DateTimeField(null=True)
    last_minute = models.DateTimeField(null=True)
    imported_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "digest"], name="telemetry_imported_log_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} up to line {self.lines}"


class ReceiverMinute(models.Model):
    """A minute in which the portal was there to receive: silence in it is silence of the sender."""

    minute = models.DateTimeField(primary_key=True)

    def __str__(self) -> str:
        return f"{self.minute:%Y-%m-%d %H:%M}"


class DirtyMinute(models.Model):
    """A minute whose counts changed and whose slices must be computed again.

    `version` differs after every change, so that clearing what was read never clears a change
    that came in between.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.DateTimeField()
    version = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "minute"], name="telemetry_dirty_once")
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.minute:%Y-%m-%d %H:%M}"


class MetricWriter(models.Model):
    """Who sends OTLP metrics: one resource of one service, its streams and what they said last.

    `streams` is appended to by whoever takes in points, `state` is changed by the compactor only.
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=32, help_text="Of the service and resource attributes.")
    generation = models.CharField(max_length=32, help_text="Random: tells rows of one key apart.")
    resource = models.JSONField(default=dict, help_text="Attributes of the resource.")
    streams = models.BinaryField(default=bytes)
    stream_count = models.PositiveIntegerField(default=0)
    state = models.BinaryField(default=bytes)
    bounds = models.JSONField(
        default=list, help_text="Bounds (ms) of its request durations; null for exponential ones."
    )
    last_seen_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "digest"], name="telemetry_writer_once")
        ]

    def __str__(self) -> str:
        return f"writer {self.pk} of {self.service_id}"


class MetricSeries(models.Model):
    """One counter or gauge of a service, by name and attributes.

    Beyond the cap of a service, further ones are counted as "(other)".
    """

    class Kind(models.TextChoices):
        COUNTER = "counter", "Counter"
        GAUGE = "gauge", "Gauge"

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    name = models.CharField(max_length=220)
    digest = models.CharField(max_length=32, help_text="Of the attributes.")
    attributes = models.JSONField(default=dict)
    first_seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "metric series"
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "kind", "name", "digest"], name="telemetry_metric_series_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MetricMinute(models.Model):
    """All counters and gauges of one service in one minute; there is one when any was reported."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+", db_index=False)
    minute = models.DateTimeField()
    data = models.BinaryField(help_text="telemetry.domain.otlp.minutes.MinuteValues, packed.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "minute"], name="telemetry_metric_minute_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.minute:%Y-%m-%d %H:%M}"


class CircuitBreakerState(models.Model):
    """What one process last said of one of its circuit breakers."""

    service = models.CharField(max_length=63, help_text="Slug of the service that owns it.")
    name = models.CharField(max_length=200)
    instance = models.CharField(max_length=100, help_text="host:pid:start of the process.")
    state = models.CharField(max_length=20)
    failure_rate = models.FloatField(null=True, help_text="Share of failed calls; null: no calls.")
    calls = models.PositiveIntegerField()
    failed_total = models.BigIntegerField(default=0, help_text="Failures since it was made.")
    slow_total = models.BigIntegerField(default=0, help_text="Slow calls since it was made.")
    since = models.DateTimeField(null=True, help_text="When it entered its state.")
    reported_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "name", "instance"], name="telemetry_breaker_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name}: {self.state}"

    @property
    def tone(self) -> str:
        """How its state is shown: for a breaker, open is bad and closed is good."""
        return {"closed": "ok", "half_open": "warn", "open": "bad", "forced_open": "bad"}.get(
            self.state, "none"
        )


class BreakerMinute(models.Model):
    """Failed and slow calls behind one service's circuit breaker in one minute."""

    service = models.CharField(max_length=63, help_text="Slug of the service that owns it.")
    name = models.CharField(max_length=200)
    minute = models.DateTimeField(db_index=True)
    failed = models.BigIntegerField()
    slow = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "name", "minute"], name="telemetry_breaker_minute_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.name} {self.minute:%Y-%m-%d %H:%M}"
