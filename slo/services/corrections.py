"""Making and ending corrections; what they change in a budget is shown before and after."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from accounts.models import ApiToken
from core import audit
from core.clock import floor_minute
from core.errors import Conflict
from slo.domain.corrections import Delta, by_minute, occurrences, overlaid
from slo.domain.judging import Judgement, Reading, judge
from slo.domain.plans import OWN, Plan
from slo.domain.rounds import pieces
from slo.domain.windows import Window
from slo.models import Correction, Sli, Slo
from slo.queries import SliceReader, plans
from slo.services import adjustments

if TYPE_CHECKING:
    from accounts.models import User


@dataclass(frozen=True)
class Effect:
    """What a correction does to one objective's present window.

    Args:
        slo: The objective.
        window: Its window now.
        before: Judgement without the correction, with every other one.
        after: Judgement with it.
    """

    slo: Slo
    window: Window
    before: Judgement
    after: Judgement


@transaction.atomic
def create(
    *, actor: "User | ApiToken | str | None", now: datetime, **fields: Any
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


def draft(*, actor: "User | ApiToken | str | None", **fields: Any) -> Correction:
    """Return a checked correction that is not saved; what a token makes is by its owner.

    Raises:
        ValidationError: With the messages by field.
    """
    person = actor.user if isinstance(actor, ApiToken) else actor
    created_by = None if isinstance(person, str) else person
    correction = Correction(created_by=created_by, **fields)
    correction.full_clean()
    if correction.slo is not None and correction.slo.sli.kind == Sli.Kind.COMPOSITE:
        raise ValidationError({"slo": "Is made of other objectives: correct those."})
    return correction


@transaction.atomic
def cancel(
    correction: Correction,
    *,
    actor: "User | ApiToken | str | None",
    now: datetime,
    entirely: bool = False,
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
    if correction.slo_id:
        return adjustments.correctable(Q(pk=correction.slo_id))
    return adjustments.correctable(Q(sli__service=correction.service_id))


def _judge_anew(correction: Correction, *, now: datetime) -> None:
    end = floor_minute(now)
    if correction.starts_at >= end:
        return
    covered = Window(floor_minute(correction.starts_at), end)
    # What it covered before it was cancelled must be judged anew as well, and what it was to cover.
    planned = replace(correction.as_domain(), cancelled_at=None, early_ends={})
    whole = occurrences(planned, covered)
    slos = concerned(correction)
    for part in whole:
        adjustments.refresh(slos, part, forget=True)


def preview(correction: Correction, *, now: datetime) -> list[Effect]:
    """Return what a correction, saved or not, does to each objective it concerns."""
    slos = {slo.pk: slo for slo in concerned(correction)}
    judged = [plan for plan in plans.load() if plan.pk in slos]
    windows = {plan.pk: plan.rule.windows(floor_minute(now))[OWN] for plan in judged}
    if not windows:
        return []
    first, last = min(w.start for w in windows.values()), max(w.end for w in windows.values())
    others = adjustments.modes_of(slos.values(), Window(first, last), without=correction)
    mine = by_minute([correction.as_domain()], Window(first, last))
    with_it = {slo: overlaid(modes, mine) for slo, modes in others.items()}
    before, after = adjustments.changes(others), adjustments.changes(with_it)
    reader = SliceReader()
    return [
        Effect(
            slos[plan.pk],
            windows[plan.pk],
            _judge(plan, windows[plan.pk], before[slos[plan.pk]], reader),
            _judge(plan, windows[plan.pk], after[slos[plan.pk]], reader),
        )
        for plan in judged
    ]


def _judge(
    plan: Plan, window: Window, changed: Mapping[datetime, Delta], reader: SliceReader
) -> Judgement:
    parts = pieces(plan, [window])
    prefixes = reader.prefixes([at for part in parts for at in (part.start, part.end)])
    deltas = {
        (plan.pk, part): reduce(
            Delta.plus, (d for at, d in changed.items() if part.start <= at < part.end), Delta()
        )
        for part in parts
    }
    return judge(plan, window, Reading(prefixes, deltas))
