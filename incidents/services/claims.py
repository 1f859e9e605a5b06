"""Claiming due rows: several pagers side by side, each row to one of them, and none lost with it.

A claim moves `look_at` to when it runs out. Whoever dies holding it loses it then, and another
pager finds the row again; nothing has to be cleaned up.
"""

from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet

from incidents.models import Deadline, EscalationRun

__all__ = ["LEASE", "MOST_CLAIMS", "claim"]

# Longer than any transaction that fires may take (statement_timeout is below it), shorter than the
# ten seconds within which everything is out after an outage.
LEASE = timedelta(seconds=6)
MOST_CLAIMS = 5

Row = TypeVar("Row", EscalationRun, Deadline)


def claim(rows: QuerySet[Row], *, now: datetime, limit: int) -> list[Row]:
    """Claim up to `limit` due rows, the longest due first; committed when this returns.

    Args:
        rows: Those that are open.
        now: The present.
        limit: Most rows.
    """
    with transaction.atomic():
        due = rows.filter(look_at__lte=now).order_by("look_at", "pk")
        found = list(due.select_for_update(skip_locked=True, of=("self",))[:limit])
        for row in found:
            row.look_at = now + LEASE
            row.claims += 1
        rows.model.objects.bulk_update(found, ["look_at", "claims"])
    return found
