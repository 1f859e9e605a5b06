"""The ledger of one objective: what took how much of its budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from core.errors import Conflict
from incidents.domain.lifecycle import Status
from incidents.models import Alert, ChangeEvent, Incident, Severity
from slo.domain.corrections import occurrences
from slo.domain.judging import Judgement, Reading, judge
from slo.domain.ledger import Cause, Entry, Happening, ledger, responsible
from slo.domain.plans import OWN, Method, Plan
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.models import Annotation, Correction, Slo
from slo.queries import SliceReader, adjustments, plans

# The source of alerts that budgets raise themselves.
_OF_BUDGETS = "slo"


@dataclass(frozen=True)
class Row:
    """One line: what happened, when, and what it took. `title` empty is the unattributed rest."""

    kind: str
    title: str
    url: str
    starts_at: datetime | None
    ends_at: datetime | None
    entry: Entry
    unit: int = 1

    @property
    def bad(self) -> float:
        """Bad events, or minutes by the methods that count slices."""
        return self.entry.counts.bad / self.unit


@dataclass(frozen=True)
class Ledger:
    """The lines of a window, which add up to its counts.

    Args:
        window: The SLO's own.
        judgement: Of the whole window.
        unit: What is counted: `events`, or `minutes` by the methods that count slices.
        rows: What took something, the greatest first, and the unattributed rest last.
    """

    window: Window
    judgement: Judgement
    unit: str
    rows: list[Row]

    @property
    def bad(self) -> float:
        """Bad events of the whole window, in the same unit as the rows'."""
        return float(self.judgement.bad / self.judgement.unit)

    @property
    def used(self) -> float | None:
        """Share of the budget spent; None without one."""
        rate = self.judgement.burn_rate
        return None if rate is None else float(rate)


@dataclass(frozen=True)
class Source:
    """Something that happened, with its name and address."""

    happening: Happening
    title: str
    url: str


def of(
    slo: Slo,
    watermark: datetime,
    plan: Plan | None = None,
    *,
    happened: Sequence[Source] | None = None,
) -> Ledger:
    """Return what took the budget of the window that ends at `watermark`.

    Args:
        slo: With `sli` loaded.
        watermark: End of the last measured minute; before it by the delay of the SLO's source.
        plan: Of the SLO, when it is at hand.
        happened: What happened in that window at least, when it is at hand.

    Raises:
        Conflict: The SLO is a composite: its members' budgets are spent, each with a ledger.
    """
    plan = plan or plans.of(slo)
    if plan.is_composite:
        raise Conflict("A composite has no events of its own: see the ledgers of its members.")
    window = plan.rule.windows(watermark)[OWN]
    if happened is None:
        happened = happenings(slo, window)
    found = {source.happening.key: source for source in happened}
    cut = responsible([source.happening for source in found.values()], window)
    parts = [*pieces(plan, [window]), *(part for _, part in cut)]
    reading = Reading(
        SliceReader().prefixes([at for part in parts for at in (part.start, part.end)]),
        adjustments.of({plan.pk: parts}) if plan.is_adjusted else {},
    )
    judgement = judge(plan, window, reading)
    counts = [reading.counted(plan, part).counts for _, part in cut]
    rows = [
        _row(found.get(entry.key or ""), entry, judgement.unit)
        for entry in ledger(cut, counts, allowed=judgement.allowed)
        if entry.key is None or entry.counts.bad
    ]
    unit = "events" if plan.method is Method.OCCURRENCES else "minutes"
    return Ledger(window, judgement, unit, rows)


def happenings(slo: Slo, window: Window) -> list[Source]:
    """Return annotations, changes and incidents of the service, and alerts that belong to none.

    An alert that a burn rate raised is the consequence of the bad events, not their cause. So is an
    incident of such alerts alone.
    """
    service = slo.sli.service_id
    rows = Annotation.objects.filter(service=service, starts_at__lt=window.end).filter(
        Q(ends_at=None) | Q(ends_at__gt=window.start)
    )
    lasted = Q(opened_at__lt=window.end) & (Q(resolved_at=None) | Q(resolved_at__gt=window.start))
    its_alerts = Alert.objects.filter(incident=OuterRef("pk"))
    incidents = (
        Incident.objects.filter(lasted, service=service)
        .exclude(status=Status.MERGED)
        .annotate(
            has_own=Exists(its_alerts.filter(source=_OF_BUDGETS)),
            has_others=Exists(its_alerts.exclude(source=_OF_BUDGETS)),
        )
    )
    alerts = Alert.objects.filter(lasted, service=service, incident=None).exclude(
        source=_OF_BUDGETS
    )
    changes = ChangeEvent.objects.filter(
        service=service, at__lt=window.end, at__gte=window.start
    ).order_by("at", "pk")
    return [
        *map(_annotation, rows),
        *map(_change, changes[:1000]),
        *map(_incident, incidents[:1000]),
        *map(_alert, alerts[:1000]),
    ]


def corrected(slo: Slo, window: Window) -> list[tuple[Correction, Window]]:
    """Return the corrections of the SLO or its service, with the parts of `window` they cover."""
    mine = Q(slo=slo) | Q(service=slo.sli.service_id)
    rows = Correction.objects.filter(mine, starts_at__lt=window.end).with_early_ends()
    return [(row, part) for row in rows for part in occurrences(row.as_domain(), window)]


def _annotation(row: Annotation) -> Source:
    cause = Cause(row.kind)
    goes_on = row.ends_at is None and cause in {Cause.INCIDENT, Cause.CHAOS}
    happening = Happening(f"annotation:{row.pk}", cause, row.starts_at, row.ends_at, goes_on)
    return Source(happening, row.title, row.url)


def _change(change: ChangeEvent) -> Source:
    happening = Happening(f"change:{change.pk}", Cause.DEPLOY, change.at, None, False)
    return Source(happening, change.summary, change.url)


def _incident(incident: Any) -> Source:
    """Return an incident, with `has_own` and `has_others`; once mitigated it takes nothing more."""
    end = incident.mitigated_at or incident.resolved_at
    happening = Happening(
        f"incident:{incident.pk}",
        Cause.INCIDENT,
        incident.opened_at,
        end,
        end is None,
        rank=Severity.values.index(incident.severity),
        is_consequence=incident.has_own and not incident.has_others,
    )
    title = f"{incident.severity} #{incident.pk} {incident.title}"
    return Source(happening, title, incident.get_absolute_url())


def _alert(alert: Alert) -> Source:
    happening = Happening(
        f"alert:{alert.pk}",
        Cause.INCIDENT,
        alert.opened_at,
        alert.resolved_at,
        alert.resolved_at is None,
        rank=len(Severity.values),
    )
    return Source(happening, alert.title, alert.url)


def _row(source: Source | None, entry: Entry, unit: int) -> Row:
    if source is None:
        return Row("unattributed", "", "", None, None, entry, unit)
    h = source.happening
    return Row(h.cause.value, source.title, source.url, h.start, h.end, entry, unit)
