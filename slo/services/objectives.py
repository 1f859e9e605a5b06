"""Making SLOs and changing their targets; history is never rewritten."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction

from core import audit
from core.errors import Conflict, InvalidInput
from core.locking import lock
from slo.domain.counts import allowed_ratio
from slo.models import BEGINNING, CompositeMember, Sli, Slo, SloVersion
from slo.services.saving import assign
from slo.services.slices import next_slot

if TYPE_CHECKING:
    from accounts.models import User


def check_objective(objective: Decimal) -> Decimal:
    """Return the objective, or refuse one that leaves no budget or nothing but budget.

    Raises:
        InvalidInput: If it is not strictly between 0 and 1, or has more than 8 decimals.
    """
    try:
        allowed_ratio(objective)
    except ValueError as error:
        raise InvalidInput(str(error), field="objective") from error
    if objective != objective.quantize(Decimal("1e-8")):
        raise InvalidInput("objective has more than 8 decimals", field="objective")
    return objective


@transaction.atomic
def create_sli(*, actor: "User | str | None", now: datetime, **fields: Any) -> Sli:
    """Create an SLI with a column of its own.

    Raises:
        ValidationError: With the messages by field.
    """
    # Only one SLI may take the next column: the lock on the newest row orders concurrent makers.
    Sli.objects.select_for_update().order_by("-slot").first()
    sli = Sli(**fields, slot=next_slot())
    sli.full_clean()
    sli.save()
    audit.record(act="sli.created", subject=sli, actor=actor, now=now)
    return sli


@transaction.atomic
def create_slo(
    *, sli: Sli, objective: Decimal, actor: "User | str | None", now: datetime, **fields: Any
) -> Slo:
    """Create an SLO with its first version, which also judges what was measured before.

    Raises:
        InvalidInput: If the objective is none.
        ValidationError: With the messages by field.
    """
    check_objective(objective)
    slo = Slo(sli=sli, **fields)
    slo.full_clean()
    slo.save()
    SloVersion.objects.create(
        slo=slo,
        objective=objective,
        effective_from=BEGINNING,
        created_at=now,
        created_by=None if isinstance(actor, str) else actor,
        reason="first version",
    )
    audit.record(
        act="slo.created", subject=slo, actor=actor, now=now, changes={"objective": str(objective)}
    )
    return slo


@transaction.atomic
def set_objective(
    *, slo: Slo, objective: Decimal, actor: "User | str | None", now: datetime, reason: str = ""
) -> SloVersion | None:
    """Judge by `objective` from `now` on; what came before keeps its judgement.

    Returns:
        The new version, or None when the objective is what it already was.

    Raises:
        InvalidInput: If the objective is none.
    """
    check_objective(objective)
    slo = Slo.objects.select_for_update().get(pk=slo.pk)
    newest = slo.versions.order_by("effective_from").last()
    if newest is not None and newest.objective == objective:
        return None
    version = SloVersion.objects.create(
        slo=slo,
        objective=objective,
        effective_from=now,
        created_at=now,
        created_by=None if isinstance(actor, str) else actor,
        reason=reason,
    )
    audit.record(
        act="slo.objective_changed",
        subject=slo,
        actor=actor,
        now=now,
        changes={"objective": [str(newest.objective) if newest else None, str(objective)]},
    )
    return version


@transaction.atomic
def change_sli(
    *, sli: Sli, actor: "User | str | None", now: datetime, fields: dict[str, Any]
) -> Sli:
    """Change what an SLI counts from the next minute on; measured minutes stay as they are.

    Raises:
        ValidationError: With the messages by field.
        NotFound: It was deleted.
    """
    lock(sli)
    changes = assign(sli, fields)
    sli.full_clean()
    if changes:
        sli.save()
        audit.record(act="sli.changed", subject=sli, actor=actor, now=now, changes=changes)
    return sli


@transaction.atomic
def change_slo(
    *, slo: Slo, actor: "User | str | None", now: datetime, fields: dict[str, Any]
) -> Slo:
    """Change an SLO; an `objective` among the fields becomes a new version from `now` on.

    Raises:
        InvalidInput: If the objective is none.
        ValidationError: With the messages by field.
        NotFound: It was deleted.
    """
    lock(slo)
    objective, reason = fields.pop("objective", None), fields.pop("reason", "")
    changes = assign(slo, fields)
    slo.full_clean()
    if changes:
        slo.save()
        audit.record(act="slo.changed", subject=slo, actor=actor, now=now, changes=changes)
    if objective is not None:
        set_objective(slo=slo, objective=objective, actor=actor, now=now, reason=reason)
    return Slo.objects.select_related("sli__service").get(pk=slo.pk)


@transaction.atomic
def delete_slo(*, slo: Slo, actor: "User | str | None", now: datetime) -> None:
    """Delete an SLO with its versions; the audit keeps that it was there.

    Raises:
        NotFound: Somebody else deleted it.
        Conflict: A composite is made of it.
    """
    lock(slo, to_delete=True)
    objective = str(slo.objective)
    composites = CompositeMember.objects.filter(slo=slo).values_list("sli__slug", flat=True)
    if composite := composites.first():
        raise Conflict(f"The composite {composite} is made of this objective; take it out first.")
    name = audit.subject_name(slo)
    slo.delete()
    audit.record(
        act="slo.deleted", subject=name, actor=actor, now=now, changes={"objective": objective}
    )


@transaction.atomic
def delete_sli(*, sli: Sli, actor: "User | str | None", now: datetime) -> None:
    """Delete an SLI no SLO uses.

    Raises:
        NotFound: Somebody else deleted it.
        ProtectedError: If an SLO uses it.
    """
    lock(sli, to_delete=True)
    name = audit.subject_name(sli)
    sli.delete()
    audit.record(act="sli.deleted", subject=name, actor=actor, now=now)
