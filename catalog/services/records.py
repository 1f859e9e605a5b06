"""The catalog's lines in the audit trail."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from django.db.models import Model

if TYPE_CHECKING:
    from accounts.models import User

log = structlog.get_logger(__name__)


def record(
    act: str,
    subject: Model,
    *,
    actor: "User | str | None",
    now: datetime,
    changes: dict[str, Any] | None = None,
) -> None:
    """Write down who changed what, inside the caller's transaction."""
    log.info(act, subject=str(subject), actor=str(actor or ""), at=now, changes=changes or {})
