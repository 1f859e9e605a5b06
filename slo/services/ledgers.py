"""The ledger of one objective: what took how much of its budget."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from incidents.models import Alert
from slo.domain.counts import Counts, Judged, error_budget
from slo.domain.ledger import Cause, Entry, Happening, ledger, responsible
from slo.domain.windows import Window, split_by_version
from slo.models import Annotation, Slo
from slo.queries import SliceReader
from slo.services.corrections import corrected_counts


@dataclass(frozen=True)
class Row:
    """One line: what happened, when, and what it took. `title` empty is the unattributed rest."""

    kind: str
    title: str
    url: str
    starts_at: datetime | None
    ends_at: datetime | None
    entry: Entry


@dataclass(frozen=True)
class Ledger:
    """The lines of a window, which add up to its counts."""

    window: Window
    counts: Counts
    allowed: Fraction
    rows: list[Row]


@dataclass(frozen=True)
class _Source:
    happening: Happening
    title: str
    url: str


def of(slo: Slo, window: Window, reader: SliceReader) -> Ledger:
    """Return what took the budget of `window`.

    Args:
        slo: With `sli` loaded and `versions` prefetched.
        window: Usually the SLO's own.
        reader: Its blocks are used again.
    """
    found = {source.happening.key: source for source in happenings(slo, window)}
    cut = responsible([source.happening for source in found.values()], window)
    counts = corrected_counts(slo, [part for _, part in cut], reader)
    budget = error_budget(judged(slo, window, reader))
    rows = [
        _row(found.get(entry.key or ""), entry)
        for entry in ledger(cut, counts, allowed=budget.allowed)
        if entry.key is None or entry.counts.bad
    ]
    return Ledger(window, sum(counts, Counts()), budget.allowed, rows)


def judged(slo: Slo, window: Window, reader: SliceReader) -> list[Judged]:
    """Return the corrected counts of a window by the objective that was in force."""
    parts = split_by_version(window, [version.as_domain() for version in slo.versions.all()])
    counts = corrected_counts(slo, [part for _, part in parts], reader)
    return [Judged(objective, one) for (objective, _), one in zip(parts, counts, strict=True)]


def happenings(slo: Slo, window: Window) -> list[_Source]:
    """Return annotations of the service and, as incidents, alerts on it that were not its budget's.

    An alert that a burn rate raised is the consequence of the bad events, not their cause.
    """
    service = slo.sli.service_id
    rows = Annotation.objects.filter(service=service, starts_at__lt=window.end).filter(
        Q(ends_at=None) | Q(ends_at__gt=window.start)
    )
    alerts = Alert.objects.filter(service=service, opened_at__lt=window.end).exclude(source="slo")
    alerts = alerts.filter(Q(resolved_at=None) | Q(resolved_at__gt=window.start))
    return [*map(_annotation, rows), *map(_alert, alerts[:1000])]


def _annotation(row: Annotation) -> _Source:
    cause = Cause(row.kind)
    goes_on = row.ends_at is None and cause in {Cause.INCIDENT, Cause.CHAOS}
    happening = Happening(f"annotation:{row.pk}", cause, row.starts_at, row.ends_at, goes_on)
    return _Source(happening, row.title, row.url)


def _alert(alert: Alert) -> _Source:
    happening = Happening(
        f"alert:{alert.pk}",
        Cause.INCIDENT,
        alert.opened_at,
        alert.resolved_at,
        alert.resolved_at is None,
    )
    return _Source(happening, alert.title, alert.url)


def _row(source: _Source | None, entry: Entry) -> Row:
    if source is None:
        return Row("unattributed", "", "", None, None, entry)
    h = source.happening
    return Row(h.cause.value, source.title, source.url, h.start, h.end, entry)
