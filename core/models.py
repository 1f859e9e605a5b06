"""Abstract models, the audit chain and the marks that ticks and processes leave."""

from datetime import datetime

from django.db import models


class TimestampedModel(models.Model):
    """A row that knows when it was made and last changed."""

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class JobSlot(models.Model):
    """One run of a scheduled job, for the slot it was scheduled for.

    Unique by job and slot: a doubled tick finds the row and does nothing; a missed tick leaves no
    row and is done late, for its own time.
    """

    job = models.CharField(max_length=60)
    slot = models.DateTimeField(help_text="Start of the minute this run is for.")
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "slot"], name="core_job_slot_once")]
        indexes = [models.Index(fields=["job", "-slot"], name="core_job_slot_latest")]

    def __str__(self) -> str:
        return f"{self.job} {self.slot:%Y-%m-%d %H:%M}"

    @property
    def is_late(self) -> bool:
        """Whether it ran more than two minutes after its slot."""
        return (self.started_at - self.slot).total_seconds() > 120


class ProcessHeartbeatQuerySet(models.QuerySet["ProcessHeartbeat"]):
    """Reads of heartbeats."""

    def latest_at(self, process: str, *, until: datetime | None = None) -> datetime | None:
        """Return when any instance of `process` was last alive.

        What lies later than `until` was written by a clock that was fast, and says nothing.
        """
        signs = self.filter(process=process)
        if until is not None:
            signs = signs.filter(at__lte=until)
        return signs.order_by("-at").values_list("at", flat=True).first()


class ProcessHeartbeat(models.Model):
    """The last sign of life of one instance of one kind of process."""

    process = models.CharField(max_length=20, help_text="web, worker, beat, pager …")
    instance = models.CharField(max_length=100, help_text="host:pid:start")
    started_at = models.DateTimeField()
    at = models.DateTimeField()
    monotonic = models.FloatField(help_text="The process's monotonic clock at `at`, seconds.")

    objects = ProcessHeartbeatQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["process", "instance"], name="core_heartbeat_instance")
        ]
        indexes = [models.Index(fields=["process", "-at"], name="core_heartbeat_latest")]

    def __str__(self) -> str:
        return f"{self.process} {self.instance}"


class AuditEntry(models.Model):
    """One thing that somebody did; written by `core.audit.record`, never changed.

    Triggers refuse everything but INSERT. The view `ev_audit` shows the chain to SQL readers.
    """

    # What most rows of a batch have in common (`core.bulk`).
    ALIKE = ("at", "actor", "act")

    seq = models.BigIntegerField(primary_key=True, help_text="1, 2, 3 … without holes.")
    at = models.DateTimeField()
    actor = models.CharField(max_length=200, help_text="user:alice, token:…, or portal.")
    act = models.CharField(max_length=100, help_text="What was done, e.g. slo.objective_changed.")
    subject = models.CharField(max_length=200, help_text="To what, e.g. slo.slo:12.")
    changes = models.JSONField(default=dict, blank=True)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-seq"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["subject", "-seq"], name="core_audit_by_subject"),
            models.Index(fields=["actor", "-seq"], name="core_audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.actor} {self.act} {self.subject}"


class Revision(models.Model):
    """Changes with every write to the tables it stands for: triggers write it (`core.revisions`)."""

    name = models.CharField(max_length=40, primary_key=True)
    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"{self.name} {self.token}"


class DemoMode(models.Model):
    """The switch of demonstration traffic: no row means it never ran here."""

    ONLY = 1

    started_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="core_demo_mode_is_one_row")
        ]

    def __str__(self) -> str:
        return "off" if self.removed_at else "on"


class KeptAnswer(models.Model):
    """What a request with an `Idempotency-Key` was answered, for those who send it again.

    Stored in the transaction of what the request changed: there is never one without the other.
    """

    caller = models.CharField(max_length=64, help_text="Digest of the credential.")
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="Digest of address and body.")
    status = models.PositiveSmallIntegerField(default=0)
    content_type = models.CharField(max_length=100, blank=True)
    sealed_body = models.TextField(blank=True, help_text="It may hold a secret that is shown once.")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="core_kept_answer_once")
        ]
        indexes = [models.Index(fields=["created_at"], name="core_kept_answer_age")]

    def __str__(self) -> str:
        return self.key
