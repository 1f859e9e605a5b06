"""Gathering what the linter needs to know of objectives, all of them in a few reads."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from core.clock import floor_minute
from slo.domain.blocks import Block
from slo.domain.counts import Counts
from slo.domain.lint import Facts, Finding, lint
from slo.domain.windows import Window
from slo.models import Sli, Slo
from slo.queries import SliceReader, counts_of
from telemetry import queries as telemetry

HISTORY = timedelta(days=90)
DAY = timedelta(days=1)
COUNTED_BY = (
    "service_id",
    "kind",
    "source_id",
    "endpoint",
    "error_from",
    "excluded_statuses",
    "threshold_ms",
    "only_successful",
    "freshness_source",
    "threshold_s",
    "good_query",
    "bad_query",
    "total_query",
    "value_query",
    "comparison",
    "comparison_value",
    "probe_url",
)


@dataclass(frozen=True)
class Report:
    """What the linter says of one objective."""

    slo: Slo
    findings: list[Finding]


def check(slos: Sequence[Slo], *, now: datetime, objective: Decimal | None = None) -> list[Report]:
    """Return the findings of each objective; those without any have an empty list.

    Args:
        slos: With `sli` loaded and `versions` prefetched.
        now: Instant at which the data ends.
        objective: Proposed for all of them, instead of their own.
    """
    end = floor_minute(now)
    reader = SliceReader()
    windows = sorted({slo.period for slo in slos} | {HISTORY, DAY})
    sums = dict(
        zip(windows, reader.sums([Window(end - length, end) for length in windows]), strict=True)
    )
    twins = _twins()
    probes = _probes(sums[DAY])
    reports = []
    for slo in slos:
        sli = slo.sli
        day = counts_of(sums[DAY], sli.slot)
        facts = Facts(
            objective=slo.objective if objective is None else objective,
            period=slo.period,
            minimum_events=slo.minimum_events,
            window=_known(counts_of(sums[slo.period], sli.slot)),
            history=_known(counts_of(sums[HISTORY], sli.slot)),
            threshold_ms=sli.threshold_ms if sli.kind == Sli.Kind.LATENCY else None,
            bounds_ms=() if sli.source_id else telemetry.bounds_ms(sli.service_id),
            twins=[slug for slug in twins[_identity(sli)] if slug != sli.slug],
            is_freshness=sli.kind == Sli.Kind.FRESHNESS,
            reports_without_requests=_own_clock(sli, end),
            probe_share=_probe_share(sli, day, probes),
        )
        reports.append(Report(slo, lint(facts)))
    return reports


def _known(counts: Counts) -> Counts | None:
    return counts if counts.measured else None


def _identity(sli: Sli) -> tuple[str, ...]:
    if sli.kind == Sli.Kind.COMPOSITE:
        return ("composite", str(sli.pk))
    # Availability and success differ in name only: the statuses decide.
    of_status = {Sli.Kind.AVAILABILITY, Sli.Kind.SUCCESS}
    kind = "status" if sli.kind in of_status else sli.kind
    return (kind, *(str(getattr(sli, name)) for name in COUNTED_BY if name != "kind"))


def _twins() -> dict[tuple[str, ...], list[str]]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for sli in Sli.objects.order_by("slug"):
        found[_identity(sli)].append(sli.slug)
    return found


def _probes(day: Block) -> dict[int, int]:
    found: dict[int, int] = defaultdict(int)
    for service_id, slot in Sli.objects.filter(kind=Sli.Kind.PROBE).values_list(
        "service_id", "slot"
    ):
        found[service_id] += counts_of(day, slot).total
    return found


def _probe_share(sli: Sli, day: Counts, probes: dict[int, int]) -> Fraction | None:
    counts_requests = sli.kind in {Sli.Kind.AVAILABILITY, Sli.Kind.SUCCESS, Sli.Kind.LATENCY}
    if not counts_requests or not day.total or sli.service_id not in probes:
        return None
    return Fraction(probes[sli.service_id], day.total)


def _own_clock(sli: Sli, end: datetime) -> bool | None:
    """Return whether freshness was reported in a minute without requests, None if all had some."""
    if sli.kind != Sli.Kind.FRESHNESS:
        return None
    busy = telemetry.request_minutes(sli.service_id, end - DAY, end)
    reported = telemetry.report_minutes(sli.service_id, sli.freshness_source, end - DAY, end)
    if not reported:
        return None
    if reported - busy:
        return True
    span = int((max(reported) - min(reported)) / timedelta(minutes=1)) + 1
    had_quiet_minutes = len({m for m in busy if min(reported) <= m <= max(reported)}) < span
    return False if had_quiet_minutes else None
