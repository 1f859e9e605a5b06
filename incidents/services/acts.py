"""What is to be audited, written last: the chain is locked until the transaction ends."""

from datetime import datetime
from typing import Any

from django.db.models import Model

from core import audit
from core.audit import Act, Who
from core.inserts import Inserts

__all__ = ["Acts", "name_of"]


class Acts:
    """Acts of one transaction, in order."""

    def __init__(self) -> None:
        self._acts: list[Act] = []

    def add(self, act: str, subject: Model, actor: Who, **changes: Any) -> None:
        """Remember one."""
        self._acts.append(Act(act, subject, actor, changes))

    def extend(self, others: "Acts") -> None:
        """Remember those that another one remembers."""
        self._acts.extend(others._acts)

    def record(
        self, *, now: datetime, inserts: Inserts | None = None, is_last: bool = False
    ) -> None:
        """Write all of them into the audit, after `inserts` that are yet to be written; see `record_all`."""
        audit.record_all(self._acts, now=now, inserts=inserts, is_last=is_last)
        self._acts.clear()


def name_of(actor: Who) -> str:
    """Return how the timeline names somebody: a person's own name, else as the audit does."""
    return audit.actor_name(actor).removeprefix("user:")[:200]
