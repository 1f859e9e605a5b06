"""Fetching the minutes of SLIs from their sources, as they close and after an outage.

Sources are asked at the same time, in threads that touch no database; what came is written here,
source by source. A minute that a source could not be asked for is a gap at once, and fetched again
when the source is back: each SLI's `complete_until` stays where it was until then.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q

from core.clock import floor_minute
from slo.domain.blocks import GAP, Slice
from slo.domain.pulled import Reading
from slo.domain.windows import Window
from slo.models import PullState, Sli, Source
from slo.services import adjustments, slices
from slo.services.retention import MINUTES_KEPT
from slo.services.source_health import note_answer, open_credentials
from slo.sources import cloudwatch, prometheus
from slo.sources.answers import Answer, SourceFailed, Wanted

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
# Prometheus has what it scraped within a second or two; a minute is asked for soon after it ends.
CLOSE_AFTER = timedelta(seconds=10)
# Asked again each time, for samples that came late; a gap never replaces what was measured.
TRAILING = MINUTE * 3
# An outage is caught up in bites, oldest first, so that a tick stays short.
CATCH_UP = timedelta(hours=6)
SECONDS = 20.0
LEASE = timedelta(seconds=60)
AFTER_FAILURE = timedelta(seconds=30)
AT_ONCE = 16
MOST_SOURCES = 2 * AT_ONCE


@dataclass
class Pull:
    """One source with what is wanted of it, and what it answered."""

    source: Source
    wanted: Wanted
    credentials: dict[str, str]
    answers: dict[int, Answer] = field(default_factory=dict)


@dataclass(frozen=True)
class PullResult:
    """What one tick did.

    Args:
        sources: Asked.
        failing: Those that did not answer everything.
        minutes: Minutes of SLIs that were measured.
    """

    sources: int = 0
    failing: int = 0
    minutes: int = 0


def tick(*, now: datetime) -> PullResult:
    """Fetch what closed since the last time from every source, and write it."""
    pulls = list(_claimed(now))
    if not pulls:
        return PullResult()
    failing = minutes = 0
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="pull") as pool:
        for done in as_completed([pool.submit(ask, pull) for pull in pulls]):
            pull = done.result()
            minutes += write(pull, now=now)
            failing += any(answer.error for answer in pull.answers.values())
    return PullResult(len(pulls), failing, minutes)


def _claimed(now: datetime) -> Iterator[Pull]:
    """Yield the sources that have something to be fetched and nobody else is asking."""
    due = Source.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), is_enabled=True)
    for source in due.filter(slis__isnull=False).distinct()[:MOST_SOURCES]:
        wanted = _wanted(source, now)
        free = Source.objects.filter(Q(busy_until=None) | Q(busy_until__lte=now), pk=source.pk)
        if wanted and free.update(busy_until=now + LEASE):
            yield Pull(source, wanted, open_credentials(source))


def newest_end(source: Source, *, now: datetime) -> datetime:
    """Return the end of the newest minute that a source should have whole."""
    late = max(source.delay - MINUTE, timedelta())
    return floor_minute(now - CLOSE_AFTER - late)


def _wanted(source: Source, now: datetime) -> Wanted:
    end = newest_end(source, now=now)
    found = []
    for sli in source.slis.select_related("source", "service", "pull"):
        state: PullState | None = getattr(sli, "pull", None)
        since = max(state.complete_until, end - MINUTES_KEPT) if state else end - MINUTE
        if since < end:
            found.append((sli, Window(since - TRAILING, min(end, since + CATCH_UP))))
    return found


def ask(pull: Pull) -> Pull:
    """Ask one source for all that is wanted of it; every failure becomes an answer."""
    try:
        pull.answers = _asked(pull)
    except SourceFailed as error:
        pull.answers = _nothing(pull, str(error))
    except Exception as error:
        log.exception("source_failed_unexpectedly", source=pull.source.slug)
        pull.answers = _nothing(pull, f"Unexpected: {type(error).__name__}.")
    return pull


def _nothing(pull: Pull, error: str) -> dict[int, Answer]:
    return {sli.pk: Answer(window.start, {}, error) for sli, window in pull.wanted}


def _asked(pull: Pull) -> dict[int, Answer]:
    if pull.source.kind == Source.Kind.CLOUDWATCH:
        aws = cloudwatch.connect(pull.source.region, seconds=SECONDS)
        return cloudwatch.pull(aws, pull.wanted)
    session = prometheus.connect(pull.source.url, pull.credentials, seconds=SECONDS)
    return prometheus.pull(session, pull.wanted)


@transaction.atomic
def write(pull: Pull, *, now: datetime) -> int:
    """Write what a source answered: slices, how far each SLI is, and how the source is.

    Returns:
        Number of minutes measured, over all SLIs.
    """
    by_minute: dict[datetime, dict[int, Slice]] = {}
    measured = 0
    for sli, window in pull.wanted:
        answer = pull.answers[sli.pk]
        # What is before this was settled by an earlier tick.
        settled = window.start + TRAILING
        readings = _with_gaps(answer, Window(settled, window.end))
        for minute, reading in readings.items():
            if reading.slice.measured or minute >= settled:
                by_minute.setdefault(minute, {})[sli.slot] = reading.slice
            measured += reading.slice.measured
        remember(sli, readings, max(answer.until, settled), settled=settled)
    slices.write(by_minute)
    adjustments.follow(list(by_minute))
    errors = [answer.error for answer in pull.answers.values() if answer.error]
    note_answer(pull.source, error=errors[0] if errors else "", now=now)
    busy_until = now + AFTER_FAILURE if errors else None
    Source.objects.filter(pk=pull.source.pk).update(busy_until=busy_until)
    return measured


def _with_gaps(answer: Answer, fresh: Window) -> dict[datetime, Reading]:
    """Return the readings, with gaps for the newest minutes that were not answered."""
    start = max(answer.until, fresh.start, fresh.end - TRAILING)
    steps = int((fresh.end - start) / MINUTE) if answer.error else 0
    missing = {start + MINUTE * step: Reading(GAP, answer.error) for step in range(steps)}
    return answer.readings | missing


def remember(
    sli: Sli, readings: dict[datetime, Reading], until: datetime, *, settled: datetime
) -> None:
    """Keep how far an SLI was fetched, since when it has gaps, and what cannot be.

    Args:
        sli: Whose.
        readings: Of this time.
        until: Every minute before it was answered.
        settled: Start of the first minute that is new this time.
    """
    state = PullState.objects.filter(sli=sli).first() or PullState(sli=sli)
    state.complete_until = until
    fresh = [(minute, readings[minute]) for minute in sorted(readings) if minute >= settled]
    for minute, reading in fresh:
        if reading.slice.measured:
            state.gap_since, state.reason = None, ""
        else:
            state.gap_since, state.reason = state.gap_since or minute, reading.reason[:500]
        if reading.is_insane:
            state.insane_at, state.insane_reason = minute, reading.reason[:500]
            log.warning("sli_counts_do_not_fit", sli=sli.slug, minute=minute.isoformat())
    state.save()


def complete_until(slis: Sequence[Sli]) -> datetime | None:
    """Return the instant before which all of these SLIs were fetched; None when one never was."""
    known = dict(PullState.objects.filter(sli__in=slis).values_list("sli", "complete_until"))
    return min(known.values()) if slis and len(known) == len(slis) else None
