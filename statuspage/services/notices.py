"""Writing what is to be sent, a row for each subscriber."""

from collections.abc import Callable
from itertools import islice
from typing import TypeVar

from django.db.models import QuerySet

from statuspage.models import MaintenanceNotice, Notice, Subscriber

__all__ = ["write"]

# Of a long list of subscribers, all at once would fill the memory.
_IN_ONE = 1000
Row = TypeVar("Row", Notice, MaintenanceNotice)


def write(to: QuerySet[Subscriber], row_for: Callable[[int], Row]) -> int:
    """Write one notice for each subscriber, in the caller's transaction; returns how many.

    Args:
        to: Whom it concerns.
        row_for: Makes the row for the key of one.
    """
    keys = to.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=_IN_ONE)
    written = 0
    while rows := [row_for(key) for key in islice(keys, _IN_ONE)]:
        type(rows[0])._base_manager.bulk_create(rows)
        written += len(rows)
    return written
