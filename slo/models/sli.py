"""SLIs: what is counted, and which of it is good."""

from collections.abc import Sequence
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from catalog.models import SLUG, Service
from core import http_client
from core.models import TimestampedModel
from slo.domain.probes import status_ranges
from slo.domain.source_queries import query_errors
from slo.models.source import Source
from telemetry.domain.buckets import FRESHNESS_BOUNDS_S
from telemetry.domain.selectors import SelectorError
from telemetry.domain.selectors import parse as parse_selector
from telemetry.queries import bounds_ms

# What a minute of the portal's own telemetry can be asked for.
OWN_VALUES = ("p50_ms", "p95_ms", "p99_ms", "requests", "error_ratio")


class Sli(TimestampedModel):
    """What is counted: which events are valid, and which of them are good."""

    class Kind(models.TextChoices):
        AVAILABILITY = "availability", "Availability: not answered with a server error"
        SUCCESS = "success", "Success: answered without any error"
        LATENCY = "latency", "Latency: answered within a threshold"
        FRESHNESS = "freshness", "Freshness: data younger than a threshold"
        THROUGHPUT = "throughput", "Throughput: work done of work that came in"
        RATIO = "ratio", "Custom ratio: one counter of another"
        TIME_SLICES = "time_slices", "Time slices: minutes in which a value met a condition"
        COMPOSITE = "composite", "Composite: weighted mean of other objectives"
        PROBE = "probe", "Probe: answers of a synthetic HTTP check"

    class Comparison(models.TextChoices):
        LT = "lt", "<"
        LTE = "lte", "≤"
        GT = "gt", ">"
        GTE = "gte", "≥"

    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="slis")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    description = models.TextField(blank=True)
    source = models.ForeignKey(
        Source,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="slis",
        help_text="Asked for the counts; empty counts the portal's own telemetry.",
    )
    good_query = models.TextField(
        blank=True, help_text="Counter of good events; leave empty where bad events are counted."
    )
    bad_query = models.TextField(
        blank=True, help_text="Counter of bad events; leave empty where good events are counted."
    )
    total_query = models.TextField(
        blank=True,
        help_text="Counter of all valid events; for latency from a source, its histogram.",
    )
    value_query = models.TextField(
        blank=True,
        help_text="Time slices: the value compared; from a source its query, else one of p50_ms,"
        " p95_ms, p99_ms, requests, error_ratio.",
    )
    comparison = models.CharField(
        max_length=3, blank=True, choices=Comparison.choices, help_text="Time slices: good when"
    )
    comparison_value = models.DecimalField(
        null=True, blank=True, max_digits=20, decimal_places=6, help_text="… this value."
    )
    slice_target = models.DecimalField(
        max_digits=9,
        decimal_places=8,
        default=Decimal("0.99"),
        help_text="By the time-slice method, a minute is good when this share of its events is.",
    )
    probe_url = models.CharField(
        blank=True, max_length=500, help_text="Probe: address that the worker asks."
    )
    probe_every_s = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(10), MaxValueValidator(3600)],
        help_text="Probe: seconds between two checks.",
    )
    probe_timeout_ms = models.PositiveIntegerField(
        default=5000,
        validators=[MinValueValidator(100), MaxValueValidator(30_000)],
        help_text="Probe: a check that takes longer has failed.",
    )
    probe_statuses = models.CharField(
        max_length=100, default="200-299", help_text="Probe: good statuses, e.g. 200-299,301."
    )
    probe_body = models.CharField(
        max_length=200, blank=True, help_text="Probe: text that the answer must hold."
    )
    endpoint = models.CharField(
        max_length=200, blank=True, help_text="Only this endpoint; empty counts all of them."
    )
    error_from = models.PositiveSmallIntegerField(
        default=500,
        validators=[MinValueValidator(400), MaxValueValidator(599)],
        help_text="Statuses from here on are bad: 500 for server errors, 400 for any error.",
    )
    excluded_statuses = models.JSONField(
        default=list, blank=True, help_text="Statuses that are not valid events, e.g. [401, 429]."
    )
    threshold_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="Latency: answered within so many milliseconds is good."
    )
    only_successful = models.BooleanField(
        default=False, help_text="Latency: count only requests that were not errors."
    )
    freshness_source = models.CharField(
        max_length=100, blank=True, help_text="Freshness: name of the reporting source."
    )
    threshold_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Freshness: data younger than so many seconds is good."
    )
    silence_grace_s = models.PositiveIntegerField(
        default=600, help_text="Freshness: silence longer than this is bad."
    )
    slot = models.PositiveIntegerField(
        unique=True, editable=False, help_text="Column of this SLI in the packed slices."
    )
    data_since = models.DateTimeField(
        null=True, editable=False, help_text="Start of the first measured minute."
    )

    class Meta:
        ordering = ["slug"]
        verbose_name = "SLI"
        constraints = [
            models.CheckConstraint(
                name="slo_sli_latency_has_threshold",
                condition=~Q(kind="latency") | Q(threshold_ms__gt=0),
                violation_error_message="threshold_ms: a latency SLI needs a threshold.",
            ),
            models.CheckConstraint(
                name="slo_sli_freshness_has_source",
                condition=~Q(kind="freshness") | (Q(threshold_s__gt=0) & ~Q(freshness_source="")),
                violation_error_message="A freshness SLI needs freshness_source and threshold_s.",
            ),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def is_counted(self) -> bool:
        """Whether it is two counters: good (or bad) events, and all of them."""
        if self.kind in {self.Kind.THROUGHPUT, self.Kind.RATIO}:
            return True
        has_status = self.kind in {self.Kind.AVAILABILITY, self.Kind.SUCCESS}
        return has_status and self.source_id is not None

    def clean(self) -> None:
        """Refuse what could never be measured, naming the field."""
        errors = (
            self._latency_errors()
            | self._freshness_errors()
            | self._counter_errors()
            | self._time_slice_errors()
        )
        errors |= self._probe_errors() | self._source_errors()
        if not 0 < self.slice_target < 1:
            errors["slice_target"] = "Give a share strictly between 0 and 1, e.g. 0.99."
        if errors:
            raise ValidationError(errors)

    def _latency_errors(self) -> dict[str, str]:
        if self.kind != self.Kind.LATENCY:
            return {}
        if self.source_id is not None:
            named = {"total_query": "Name the histogram in the source."}
            return {} if self.total_query and self.threshold_ms else named
        if self.threshold_ms not in bounds_ms(self.service_id):
            return {"threshold_ms": latency_hint(bounds_ms(self.service_id))}
        return {}

    def _freshness_errors(self) -> dict[str, str]:
        errors = {}
        if self.kind == self.Kind.FRESHNESS and not self.freshness_source:
            errors["freshness_source"] = "Name the source whose reports are counted."
        if self.kind == self.Kind.FRESHNESS and self.threshold_s not in FRESHNESS_BOUNDS_S:
            errors["threshold_s"] = f"Choose one of {', '.join(map(str, FRESHNESS_BOUNDS_S))} s."
        return errors

    def _probe_errors(self) -> dict[str, str]:
        if self.kind != self.Kind.PROBE:
            return {}
        if not self.probe_url:
            return {"probe_url": "Name the address that is to be asked."}
        errors = {}
        if refused := http_client.check_address(self.probe_url, feature="probe"):
            errors["probe_url"] = refused
        try:
            status_ranges(self.probe_statuses)
        except ValueError as error:
            errors["probe_statuses"] = str(error)
        if self.probe_timeout_ms >= self.probe_every_s * 1000:
            errors["probe_timeout_ms"] = "A check must end before the next one begins."
        if self.threshold_ms and self.threshold_ms >= self.probe_timeout_ms:
            errors["threshold_ms"] = (
                "Choose less than probe_timeout_ms, which fails a check anyhow."
            )
        return errors

    def _source_errors(self) -> dict[str, str]:
        if self.source_id is None or self.source is None:
            return {}
        return query_errors(
            self.source.kind,
            self.kind,
            counters={
                "good_query": self.good_query,
                "bad_query": self.bad_query,
                "total_query": self.total_query,
            },
            value=self.value_query,
            threshold_ms=self.threshold_ms,
        )

    def _counter_errors(self) -> dict[str, str]:
        if not self.is_counted:
            return {}
        errors = {}
        if bool(self.good_query) == bool(self.bad_query):
            errors["good_query"] = "Name the counter of good events or that of bad ones, not both."
        if not self.total_query:
            errors["total_query"] = "Name the counter of all valid events."
        return errors | self._selector_errors()

    def _selector_errors(self) -> dict[str, str]:
        """What is wrong with the queries of own counters; a source judges its own."""
        errors = {}
        for name in ("good_query", "bad_query", "total_query") if self.source_id is None else ():
            query = getattr(self, name)
            try:
                if query:
                    parse_selector(query)
            except SelectorError as error:
                errors[name] = f'{error} Write it like jobs.done{{queue="mail"}}.'
        return errors

    def _time_slice_errors(self) -> dict[str, str]:
        if self.kind != self.Kind.TIME_SLICES:
            return {}
        errors = {}
        if not self.comparison:
            errors["comparison"] = "Say how the value is compared."
        if self.comparison_value is None:
            errors["comparison_value"] = "Say what the value is compared with."
        if not self.value_query:
            errors["value_query"] = "Name the value."
        elif self.source_id is None and self.value_query not in OWN_VALUES:
            errors["value_query"] = f"Choose one of {', '.join(OWN_VALUES)}."
        return errors


def latency_hint(bounds: Sequence[float]) -> str:
    """Say which thresholds can be counted exactly."""
    names = ", ".join(f"{bound:g}" for bound in bounds)
    return f"Requests are counted up to these bounds, so choose one of them: {names} ms."


class CompositeMember(models.Model):
    """An objective whose SLI is part of a composite SLI."""

    sli = models.ForeignKey(Sli, on_delete=models.CASCADE, related_name="members")
    slo = models.ForeignKey("slo.Slo", on_delete=models.PROTECT, related_name="+")
    weight = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["sli", "slo"], name="slo_composite_member_once"),
            models.CheckConstraint(name="slo_composite_weight", condition=Q(weight__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.slo_id} × {self.weight}"
