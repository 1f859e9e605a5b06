"""Making and ending corrections; what they change in a budget is shown before and after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from core import audit
from core.clock import floor_minute
from core.errors import Conflict
from slo.domain.corrections import by_minute, occurrences
from slo.domain.counts import Budget, Counts, Judged, error_budget
from slo.domain.windows import Window, split_by_version
from slo.models import Correction, Delta, SliceAdjustment, Slo
from slo.queries import SliceReader, counts_of
from slo.services import adjustments
from slo.services.evaluation import slo_window

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Effect:
    """What a correction does to one objective's present window.

    Args:
        slo: The objective.
        window: Its window now.
        before: Counts without the correction, with every other one.
        after: Counts with it.
        budget_before: Budget without it.
        budget_after: Budget with it.
    """

    slo: Slo
    window: Window
    before: Counts
    after: Counts
    budget_before: Budget
    budget_after: Budget


@transaction.atomic
def create(
    *, actor: "User | str | None", now: datetime, **fields: Any
) -> tuple[Correction, list[Effect]]:
    """Make a correction and judge anew what it covers.

    Returns:
        The correction, and what it did to each objective it concerns.

    Raises:
        ValidationError: With the messages by field.
    """
    correction = draft(actor=actor, **fields)
    effects = preview(correction, now=now)
    correction.save()
    _judge_anew(correction, now=now)
    audit.record(
        act="slo.correction_created",
        subject=correction,
        actor=actor,
        now=now,
        changes={
            "mode": correction.mode,
            "starts_at": correction.starts_at,
            "ends_at": correction.ends_at,
            "rule": correction.rule,
        },
    )
    return correction, effects


def draft(*, actor: "User | str | None", **fields: Any) -> Correction:
    """Return a checked correction that is not saved.

    Raises:
        ValidationError: With the messages by field.
    """
    created_by = None if isinstance(actor, str) else actor
    correction = Correction(created_by=created_by, **fields)
    correction.full_clean()
    return correction


@transaction.atomic
def cancel(
    correction: Correction, *, actor: "User | str | None", now: datetime, entirely: bool = False
) -> Correction:
    """End a correction now, or take it back as if it had never been.

    Raises:
        Conflict: It was cancelled before.
    """
    correction = Correction.objects.select_for_update().get(pk=correction.pk)
    if correction.cancelled_at is not None and not entirely:
        raise Conflict("This correction was cancelled before.")
    correction.cancelled_at = correction.starts_at if entirely else now
    correction.save(update_fields=["cancelled_at", "updated_at"])
    _judge_anew(correction, now=now)
    audit.record(
        act="slo.correction_withdrawn" if entirely else "slo.correction_cancelled",
        subject=correction,
        actor=actor,
        now=now,
    )
    return correction


def concerned(correction: Correction) -> list[Slo]:
    """Return the objectives whose counts a correction changes."""
    slos = Slo.objects.select_related("sli__service", "sli__source").prefetch_related("versions")
    if correction.slo_id:
        return list(slos.filter(pk=correction.slo_id))
    return list(slos.filter(sli__service=correction.service_id))


def _judge_anew(correction: Correction, *, now: datetime) -> None:
    end = floor_minute(now)
    if correction.starts_at >= end:
        return
    covered = Window(floor_minute(correction.starts_at), end)
    as_if_running = correction.as_domain()
    # What it covered before it was cancelled must be judged anew as well.
    whole = occurrences(
        type(as_if_running)(**{**vars(as_if_running), "cancelled_at": None}), covered
    )
    for slo in concerned(correction):
        for part in whole:
            adjustments.refresh(slo, part, forget=True)


def preview(correction: Correction, *, now: datetime) -> list[Effect]:
    """Return what a correction, saved or not, does to each objective it concerns."""
    reader = SliceReader()
    return [_effect(slo, correction, reader, now=now) for slo in concerned(correction)]


def _effect(slo: Slo, correction: Correction, reader: SliceReader, *, now: datetime) -> Effect:
    window = slo_window(slo, end=floor_minute(now))
    others = [row for row in adjustments.corrections_of(slo, end=window.end) if row != correction]
    before = _judge(slo, others, window, reader)
    after = _judge(slo, [*others, correction], window, reader)
    return Effect(
        slo, window, _total(before), _total(after), error_budget(before), error_budget(after)
    )


def _judge(
    slo: Slo, rows: Sequence[Correction], window: Window, reader: SliceReader
) -> list[Judged]:
    modes = by_minute([row.as_domain() for row in rows], window)
    added = adjustments.changes(slo, modes, reader)
    versions = [version.as_domain() for version in slo.versions.all()]
    parts = split_by_version(window, versions)
    sums = reader.sums([part for _, part in parts])
    judged = []
    for (objective, part), block in zip(parts, sums, strict=True):
        delta = sum((value for at, value in added.items() if part.start <= at < part.end), Delta())
        judged.append(Judged(objective, plus(counts_of(block, slo.sli.slot), delta)))
    return judged


def plus(counts: Counts, delta: Delta) -> Counts:
    """Return counts as corrected."""
    return Counts(
        counts.good + delta.good, counts.total + delta.total, counts.measured + delta.measured
    )


def _total(parts: Sequence[Judged]) -> Counts:
    return sum((part.counts for part in parts), Counts())


def corrected_counts(slo: Slo, windows: Sequence[Window], reader: SliceReader) -> list[Counts]:
    """Return the counts of each window as judged, corrections included."""
    deltas = SliceAdjustment.objects.sums([slo.pk], windows)
    return [
        plus(counts_of(block, slo.sli.slot), deltas.get((slo.pk, window), Delta()))
        for window, block in zip(windows, reader.sums(windows), strict=True)
    ]
