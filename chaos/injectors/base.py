"""What every fault can do: say why it cannot be, be, be seen, and be undone.

Undoing takes nothing but the ledger's entry: whoever recovers may be another process, much later.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.domain.steady_state import Sample
from chaos.domain.target import Target
from chaos.ledger import UndoEntry
from chaos.probe import Address

__all__ = ["Context", "InjectError", "Injector", "UndoError"]


class InjectError(Exception):
    """A fault could not be made; the message says why."""


class UndoError(Exception):
    """A fault is still there; the message says what was seen."""


@dataclass(frozen=True)
class Context:
    """What an experiment is aimed at.

    Attributes:
        folder: State folder.
        target: The HTTP address; None when none was named.
        cluster: ECS cluster, `service` its service, `db_instance` the RDS identifier; may be "".
        service: See `cluster`.
        db_instance: See `cluster`.
        region: AWS region; "" leaves it to boto3.
        endpoint_url: Other endpoint of AWS; "" is the real one.
        is_local: Whether the target is this machine.
        parameters: Of the experiment.
        duration_s: How long the fault lasts.
        settle_s: How long things may take to come back.
    """

    folder: Path
    target: Target | None
    cluster: str
    service: str
    db_instance: str
    region: str
    endpoint_url: str
    is_local: bool
    parameters: Mapping[str, float]
    duration_s: float
    settle_s: float


class Injector(ABC):
    """One kind of fault."""

    def refusal(self, context: Context) -> str:
        """Return why this cannot be done here, "" when it can."""
        return ""

    def params(self, context: Context) -> dict[str, Any]:
        """Return what injecting and undoing need, as JSON values."""
        return dict(context.parameters)

    def snapshot(self, context: Context) -> dict[str, Any]:
        """Return how things are before, as JSON values."""
        return {}

    def undoing_s(self, context: Context) -> float:
        """Return how much longer than usual undoing may take (s)."""
        return 0.0

    @abstractmethod
    def inject(self, entry: UndoEntry, folder: Path) -> None:
        """Make the fault; it must be there when this returns."""

    def address(self, entry: UndoEntry, folder: Path) -> Address | None:
        """Return where the fault's own way to the target begins, None for the usual one."""
        return None

    @abstractmethod
    def evidence(
        self, entry: UndoEntry, before: Sequence[Sample], during: Sequence[Sample]
    ) -> dict[str, Any]:
        """Return `observed` and the figures that show it; called while the fault is there."""

    @abstractmethod
    def undo(self, entry: UndoEntry) -> str:
        """End the fault, however often it is called, see that it is gone, and say what was found.

        Raises:
            UndoError: If it is still there.
        """
