"""Holding a stored row while it is changed, so that nothing else that happens to it is undone."""

from django.db import models

from core.errors import NotFound

__all__ = ["lock"]


def lock(row: models.Model, *, to_delete: bool = False) -> None:
    """Read a stored row anew and hold it until the caller's transaction ends.

    What a caller read before may be over by now: saved as it was then, it would take back what
    others changed since, and bring back what they deleted. Call it first, before the audit: who
    holds that and waits for a row stops everybody, and for ever who holds the row and waits for it.

    Args:
        row: Read by anybody at any time; holds what is stored now afterwards.
        to_delete: Waits for those who write rows that refer to it, too.

    Raises:
        NotFound: Somebody deleted it.
    """
    stored = type(row)._base_manager.select_for_update(of=("self",), no_key=not to_delete)
    try:
        row.refresh_from_db(from_queryset=stored)
    except type(row).DoesNotExist as error:  # type: ignore[attr-defined]
        raise NotFound("Somebody deleted it a moment ago.") from error
