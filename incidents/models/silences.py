"""Silences and maintenance: who is not called for what, until when, and why."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Func, Prefetch, Q

from catalog.models import Service, of_known_services
from core.models import TimestampedModel
from core.recurrence import starts
from incidents.domain.silencing import Matcher
from oncall.models.schedules import known_zone

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

_OF_MATCHERS = ("name", "op", "value")


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    """Reads of maintenance."""

    def visible_to(self, user: "User") -> Self:
        """Keep that of services that `user` may know of."""
        return self.filter(of_known_services(user))

    def with_early_ends(self) -> Self:
        """Load what `Maintenance.early_ends` asks for, of all rows at once."""
        return self.prefetch_related(Prefetch("silences", Silence.objects.ended_early()))


class Maintenance(TimestampedModel):
    """Planned work on a service, once or repeating: each occurrence silences it while it lasts."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="maintenance")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(help_text="End of the first occurrence.")
    rule = models.CharField(
        max_length=300,
        blank=True,
        help_text="RRULE of a repetition, e.g. FREQ=WEEKLY;BYDAY=SU; empty for once.",
    )
    timezone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[known_zone],
        help_text="IANA zone whose wall clock the repetition follows.",
    )
    comment = models.CharField(max_length=500, help_text="What is done, for whoever wonders.")
    excludes_budget = models.BooleanField(
        "leaves budgets alone", default=False, help_text="Its minutes count in no error budget."
    )
    created_by = models.CharField(max_length=200, editable=False)
    cancelled_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="From here on nothing is silenced by it."
    )

    objects = MaintenanceQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        verbose_name_plural = "maintenance"
        constraints = [
            models.CheckConstraint(
                name="incidents_maintenance_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="Maintenance ends after it starts.",
            )
        ]

    def __str__(self) -> str:
        return self.comment

    def spans(
        self, after: "datetime", before: "datetime"
    ) -> Iterator[tuple["datetime", "datetime"]]:
        """Yield begin and end of the occurrences that touch [after, before), oldest first.

        Raises:
            ValueError: Nothing can be worked out of its rule.
        """
        length = self.ends_at - self.starts_at
        for at in starts(self.rule, self.starts_at, self.timezone, after - length, before):
            # One that ends when the span begins does not touch it.
            if at + length > after:
                yield at, at + length

    @property
    def early_ends(self) -> dict["datetime", "datetime"]:
        """Ends of the occurrences that were ended before their time, by when they were to begin.

        Those of many rows are loaded by `with_early_ends`.
        """
        length = self.ends_at - self.starts_at
        return {
            silence.occurrence_at: silence.ends_at
            for silence in self.silences.all()
            if silence.occurrence_at and silence.ends_at < silence.occurrence_at + length
        }


class MatcherWords(Func):
    """What matchers say, a line each and as people write them: `host=~web-.*`."""

    output_field = models.TextField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Read JSON as SQLite does."""
        each = " || ".join(f"json_extract(value, '$.{name}')" for name in _OF_MATCHERS)
        template = f"(SELECT group_concat({each}, char(10)) FROM json_each(%(expressions)s))"  # noqa: S608 names of ours
        return self.as_sql(compiler, connection, template=template, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Read JSON as PostgreSQL does."""
        each = ", ".join(f"matcher ->> '{name}'" for name in _OF_MATCHERS)
        matchers = "jsonb_array_elements(%(expressions)s) AS matcher"
        template = f"(SELECT string_agg(concat({each}), chr(10)) FROM {matchers})"  # noqa: S608 names of ours
        return self.as_sql(compiler, connection, template=template, **context)


class SilenceQuerySet(models.QuerySet["Silence"]):
    """Reads of silences."""

    def active(self, now: "datetime") -> Self:
        """Keep those that hold now."""
        return self.filter(starts_at__lte=now, ends_at__gt=now)

    def with_matcher_words(self) -> Self:
        """Let `matcher_words` be searched: what the matchers say."""
        return self.alias(matcher_words=MatcherWords("matchers"))

    def ended_early(self) -> Self:
        """Keep those of occurrences of maintenance that were ended before their time."""
        length = ExpressionWrapper(
            F("maintenance__ends_at") - F("maintenance__starts_at"), DurationField()
        )
        planned = ExpressionWrapper(F("occurrence_at") + length, DateTimeField())
        return self.filter(ends_at__lt=planned)

    def visible_to(self, user: "User") -> Self:
        """Keep those of services that `user` may know of."""
        return self.filter(of_known_services(user))


class Silence(TimestampedModel):
    """Nobody is called for what matches, from start to end; alerts are still kept and shown."""

    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="silences",
        help_text="Empty: of every service; it then needs a matcher.",
    )
    matchers = models.JSONField(
        default=list,
        blank=True,
        help_text='All must match, e.g. [{"name": "alertname", "op": "=", "value": "DiskFull"}].',
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    comment = models.CharField(max_length=500, help_text="Why, for whoever wonders at 3 a.m.")
    created_by = models.CharField(max_length=200, editable=False)
    is_maintenance = models.BooleanField(
        "maintenance", default=False, help_text="Planned work: shown as such."
    )
    maintenance = models.ForeignKey(
        "incidents.Maintenance",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.CASCADE,
        related_name="silences",
        help_text="Whose occurrence it is.",
    )
    occurrence_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When that occurrence was planned to begin, whatever became of the silence.",
    )
    is_ended = models.BooleanField(
        default=False, editable=False, help_text="What still fired at its end was looked at."
    )

    objects = SilenceQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                name="incidents_silence_ends_after_start",
                condition=Q(ends_at__gt=F("starts_at")),
                violation_error_message="A silence ends after it starts.",
            ),
            models.UniqueConstraint(
                fields=["maintenance", "occurrence_at"],
                name="incidents_silence_once_per_occurrence",
            ),
        ]
        indexes = [
            models.Index(
                fields=["ends_at"], condition=Q(is_ended=False), name="incidents_silence_running"
            )
        ]

    def __str__(self) -> str:
        return self.comment

    @property
    def rules(self) -> list[Matcher]:
        """Its matchers for arithmetic."""
        return [Matcher(rule["name"], rule["op"], rule["value"]) for rule in self.matchers]

    def state_at(self, now: "datetime") -> str:
        """Return how it stands, in a word: planned, holds or ended."""
        if self.ends_at <= now:
            return "ended"
        return "holds" if self.starts_at <= now else "planned"
