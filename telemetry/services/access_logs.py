"""Counting what access logs tell of: each line once, however often and how far a log is given.

A log is read twice. First its bytes are hashed, and wherever an earlier import ended, the hash of
the bytes so far is compared with the one noted then: that far everything is counted. Then what
follows is counted in chunks of whole lines. Each chunk is one transaction that appends a batch to
the delta log, as every sender's is, and notes the hash up to its end; so a killed import goes on
where it was, and a log that has grown adds its new lines only. The hash is of the unpacked bytes:
a log that rotation has packed since is the same log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from django.conf import settings
from django.db import transaction

from catalog.models import Service
from core import audit
from core.errors import Conflict
from telemetry import queries
from telemetry.adapters.log_sources import LogSource, Unreadable
from telemetry.domain.access_logs.combined import Unit
from telemetry.domain.access_logs.endpoints import EndpointNames
from telemetry.domain.access_logs.prefixes import LineReader, Mark, NotText, Survey, survey
from telemetry.domain.access_logs.reading import Format, UnknownFormat, choose
from telemetry.domain.access_logs.tally import Chunk, Tally, Verdict
from telemetry.domain.batches import REQUESTS, Batch, read_batch
from telemetry.domain.deltas import encode, minute_start
from telemetry.domain.fields import Period
from telemetry.models import DirtyMinute, ImportedLog, ServiceTelemetry, TelemetryDelta
from telemetry.services import delta_log
from telemetry.services.ingest import PORTAL, known_services

CHUNK_LINES = 20_000
MINUTE = timedelta(minutes=1)
_ROWS_A_QUERY = 500
Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class How:
    """How logs are to be imported.

    Args:
        service: Whose requests they tell of.
        patterns: Routes that paths are counted under.
        format: Of the lines; None finds it by the first ones.
        unit: Of the durations of the combined format; None finds it likewise.
        is_trial: Whether nothing is stored.
    """

    service: Service
    patterns: tuple[str, ...] = ()
    format: Format | None = None
    unit: Unit | None = None
    is_trial: bool = False


def import_log(
    source: LogSource,
    how: How,
    *,
    now: datetime,
    actor: audit.Actor | str | None,
    progress: Progress = lambda _act, _lines: None,
) -> Verdict:
    """Count the lines of a log that were not counted before.

    Args:
        source: The log.
        how: Whose it is and how it is read.
        now: Instant of the import.
        actor: Who imports.
        progress: Told what is going on, and how many lines were read.

    Returns:
        What became of the lines. A log that is refused as a whole says why; what was counted of
        it until then stays counted, and is not counted again when it is given again.
    """
    verdict = Verdict(source.name, how.service.slug, is_trial=how.is_trial)
    try:
        _Import(source, how, verdict, now=now, actor=actor, progress=progress).run()
    except (Unreadable, UnknownFormat, NotText) as error:
        verdict.refused_because = str(error)
    except Conflict as error:
        verdict.refused_because = error.message
    return verdict


class _Import:
    """One log on its way."""

    def __init__(
        self,
        source: LogSource,
        how: How,
        verdict: Verdict,
        *,
        now: datetime,
        actor: audit.Actor | str | None,
        progress: Progress,
    ) -> None:
        self.source = source
        self.how = how
        self.verdict = verdict
        self.now = now
        self.actor = actor
        self.progress = progress
        self.period = Period.until(now, retention=settings.TELEMETRY_RETENTION)
        self.is_noted = False
        # Read before the marks: an import that ends in between is seen as another one then.
        self.newest_import = _newest_import(how.service.pk)

    def run(self) -> None:
        """Find what is new, and count it.

        Raises:
            Unreadable, NotText, UnknownFormat: The log as a whole cannot be used.
            Conflict: Another import for the service ran meanwhile.
        """
        found = self._survey()
        self.verdict.counted_before = found.mark.lines
        if found.mark.size == found.size or found.is_blank:
            return
        reading = choose(found.sample, told=self.how.format, unit=self.how.unit)
        self.verdict.format, self.verdict.duration_unit = reading.format, reading.unit
        names = EndpointNames(self.how.patterns, queries.endpoints(self.how.service.pk))
        with self.source.open() as stream:
            lines = LineReader(stream)
            lines.skip_to(found.mark)
            tally = Tally(
                lines,
                reading.parse,
                names,
                service=self.how.service.slug,
                period=self.period,
                verdict=self.verdict,
            )
            mark = found.mark
            while (chunk := tally.next_chunk(CHUNK_LINES, after=mark)) is not None:
                self._store(chunk)
                mark = chunk.mark
                self.progress("counting", mark.lines)

    def _survey(self) -> Survey:
        marks = [
            Mark(size, digest, lines, last_minute)
            for size, digest, lines, last_minute in ImportedLog.objects.filter(
                service=self.how.service
            ).values_list("size", "digest", "lines", "last_minute")
        ]
        with self.source.open() as stream:
            return survey(stream, marks, lambda: self.progress("looking", 0))

    def _store(self, chunk: Chunk) -> None:
        batch = self._counted(chunk)
        self._compare_with_what_is_there(chunk)
        if self.how.is_trial:
            return
        with delta_log.write_turn(), transaction.atomic():
            self._take_turn()
            self._append(batch, chunk)
            self._note(chunk)
            if not self.is_noted:
                self.is_noted = True
                audit.record(
                    act="telemetry.import_access_log",
                    subject=self.how.service,
                    actor=self.actor,
                    now=self.now,
                    changes={"log": [None, self.source.name]},
                )

    def _counted(self, chunk: Chunk) -> Batch:
        batch = read_batch(
            msgspec.json.encode(chunk.events),
            REQUESTS,
            lines=False,
            period=self.period,
            resolve=lambda slugs: known_services(slugs, PORTAL),
        )
        self.verdict.counted += batch.accepted
        for rejection in batch.rejected:
            self.verdict.blame(chunk.line_numbers[rejection.index], rejection.sentence)
        return batch

    def _compare_with_what_is_there(self, chunk: Chunk) -> None:
        """Say when other senders counted requests in these minutes: they may be the same ones."""
        if not chunk.minutes:
            return
        minutes = {minute_start(minute) for minute in chunk.minutes}
        pk = self.how.service.pk
        counted = queries.request_minutes(pk, min(minutes), max(minutes) + MINUTE) & minutes
        self.verdict.minutes_counted_otherwise += len(
            counted - queries.logged_minutes(pk, sorted(counted))
        )

    def _take_turn(self) -> None:
        ServiceTelemetry.objects.get_or_create(service=self.how.service)
        ServiceTelemetry.objects.select_for_update().get(pk=self.how.service.pk)
        if _newest_import(self.how.service.pk) != self.newest_import:
            raise Conflict(
                "another import for this service ran at the same time; run this one again, it goes"
                " on where it was"
            )

    def _append(self, batch: Batch, chunk: Chunk) -> None:
        if batch.delta.is_empty():
            return
        payload = encode(batch.delta)
        delta = TelemetryDelta(received_at=self.now, payload=payload, size=len(payload))
        delta.save(force_insert=True)
        # Minutes with requests are marked when the batch is merged. The versions of mergers are
        # numbers of batches, so that of the quiet minutes must be none of those.
        DirtyMinute.objects.bulk_create(
            [
                DirtyMinute(service=self.how.service, minute=minute, version=-delta.pk)
                for minute in chunk.quiet_minutes()
            ],
            update_conflicts=True,
            unique_fields=["service", "minute"],
            update_fields=["version"],
            batch_size=_ROWS_A_QUERY,
        )

    def _note(self, chunk: Chunk) -> None:
        row = ImportedLog.objects.create(
            service=self.how.service,
            name=self.source.name[-500:],
            size=chunk.mark.size,
            digest=chunk.mark.digest,
            lines=chunk.mark.lines,
            first_minute=chunk.first_minute,
            last_minute=chunk.mark.last_minute,
            imported_at=self.now,
        )
        self.newest_import = row.pk


def _newest_import(service_id: int) -> int | None:
    rows = ImportedLog.objects.filter(service_id=service_id).order_by("-pk")
    return rows.values_list("pk", flat=True).first()
