"""What is to be audited, written last: the chain is locked until the transaction ends."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model

from core import audit
from core.audit import Who

__all__ = ["Acts", "name_of"]


class Acts:
    """Acts of one transaction, in order."""

    def __init__(self) -> None:
        self._acts: list[tuple[str, Model, Who, Mapping[str, Any]]] = []

    def add(self, act: str, subject: Model, actor: Who, **changes: Any) -> None:
        """Remember one."""
        self._acts.append((act, subject, actor, changes))

    def record(self, *, now: datetime) -> None:
        """Write all of them into the audit."""
        for act, subject, actor, changes in self._acts:
            audit.record(act=act, subject=subject, actor=actor, now=now, changes=changes)
        self._acts.clear()


def name_of(actor: Who) -> str:
    """Return how the timeline names somebody: a person's own name, else as the audit does."""
    return audit.actor_name(actor).removeprefix("user:")[:200]
