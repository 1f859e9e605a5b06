"""Editing budget policies, and overriding what they decide."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from catalog.models import Service
from core import audit
from core.errors import Conflict
from core.locking import lock
from slo.models import BudgetPolicy, FreezeOverride
from slo.services.saving import save

if TYPE_CHECKING:
    from accounts.models import User


@transaction.atomic
def save_policy(
    policy: BudgetPolicy, *, actor: "User | str | None", now: datetime, fields: dict[str, Any]
) -> BudgetPolicy:
    """Create or change a policy; states follow it from the next tick on.

    Raises:
        ValidationError: With the messages by field.
    """
    return save(policy, "slo.policy", actor=actor, now=now, fields=fields)


@transaction.atomic
def delete_policy(policy: BudgetPolicy, *, actor: "User | str | None", now: datetime) -> None:
    """Delete a policy; its SLOs follow the standard one.

    Raises:
        NotFound: Somebody else deleted it.
    """
    lock(policy, to_delete=True)
    name = audit.subject_name(policy)
    policy.delete()
    audit.record(act="slo.policy_deleted", subject=name, actor=actor, now=now)


@transaction.atomic
def override_freeze(
    *,
    service: Service,
    frozen: bool,
    reason: str,
    expires_at: datetime,
    owner: "User",
    now: datetime,
) -> FreezeOverride:
    """Decide for a while, in place of the budgets, whether a service's releases are held.

    Raises:
        ValidationError: With the messages by field.
    """
    if expires_at <= now:
        raise ValidationError({"expires_at": "Must lie in the future."})
    row = FreezeOverride(
        service=service,
        frozen=frozen,
        reason=reason,
        owner=owner,
        created_at=now,
        expires_at=expires_at,
    )
    row.full_clean()
    row.save()
    changes = {"frozen": frozen, "reason": reason, "expires_at": expires_at}
    audit.record(act="slo.freeze_overridden", subject=row, actor=owner, now=now, changes=changes)
    return row


@transaction.atomic
def end_override(
    row: FreezeOverride, *, actor: "User | str | None", now: datetime
) -> FreezeOverride:
    """Let the budgets decide again.

    Raises:
        Conflict: It is over already.
    """
    row = FreezeOverride.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if row.ended_at is not None or row.expires_at <= now:
        raise Conflict("This override is over already.")
    row.ended_at = now
    row.save(update_fields=["ended_at"])
    audit.record(act="slo.freeze_override_ended", subject=row, actor=actor, now=now)
    return row
