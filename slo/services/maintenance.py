"""Maintenance that leaves error budgets alone: a correction of its service, as long as it holds."""

from datetime import datetime

from accounts.models import ApiToken, User
from core.audit import Who, actor_name
from incidents.models import Maintenance
from slo.models import Correction
from slo.services import corrections

__all__ = ["follow"]


def follow(maintenance: Maintenance, *, actor: Who, now: datetime) -> None:
    """Correct the minutes of planned work, or no more of them once it is called off."""
    if not maintenance.excludes_budget:
        return
    by = actor if isinstance(actor, User | ApiToken) else actor_name(actor)
    # Held before it is looked at: somebody may be ending it by hand.
    known = (
        Correction.objects.filter(maintenance=maintenance).select_for_update(of=("self",)).first()
    )
    if known is None:
        corrections.create(
            actor=by,
            now=now,
            service=maintenance.service,
            mode=Correction.Mode.EXCLUDE,
            starts_at=maintenance.starts_at,
            ends_at=maintenance.ends_at,
            rule=maintenance.rule,
            timezone=maintenance.timezone,
            reason=f"Maintenance: {maintenance.comment}"[:300],
            maintenance=maintenance,
        )
    elif maintenance.cancelled_at is not None and known.cancelled_at is None:
        corrections.cancel(known, actor=by, now=now)
