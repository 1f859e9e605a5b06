"""The catalog's lines in the audit trail."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from catalog.models import Service, Team
from core import audit

if TYPE_CHECKING:
    from accounts.models import ApiToken, User

__all__ = ["Actor", "record"]

Actor: TypeAlias = "User | ApiToken | str | None"


def record(
    act: str,
    subject: Team | Service | str,
    *,
    actor: audit.Who,
    now: datetime,
    changes: dict[str, Any] | None = None,
) -> None:
    """Write down who changed what, inside the caller's transaction.

    The subject is named by its slug, which never changes and outlives the row; of one that is deleted,
    give the name it had.
    """
    audit.record(act=act, subject=subject, actor=actor, now=now, changes=changes)
