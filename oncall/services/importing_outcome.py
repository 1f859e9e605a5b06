"""What became of an import, thing by thing."""

from dataclasses import dataclass, field
from typing import Any

from core.errors import DomainError
from oncall.models import EscalationPolicy

__all__ = ["Item", "Missing", "Outcome", "why"]


class Missing(Exception):
    """Somebody or something that is referred to is not here."""


def why(error: Missing | DomainError) -> str:
    """Return why something is refused, in words; of several wrong fields what is wrong with each."""
    fields = error.fields if isinstance(error, DomainError) else {}
    told = [f"{name}: {' '.join(said)}" for name, said in fields.items() if said != [str(error)]]
    return " ".join(told) or str(error)


@dataclass(frozen=True)
class Item:
    """What becomes of one thing.

    Args:
        kind: user, contact_method, notification_rules, team, schedule, override, policy, service or
            integration.
        name: What it is called.
        action: create, change, same, match, skip or refuse.
        slug: What it is called here.
        changes: What differs from what is stored.
        lost: What of it is not carried, in sentences.
        reason: Why it is refused or skipped.
    """

    kind: str
    name: str
    action: str
    slug: str = ""
    changes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "slug": self.slug or None,
            "changes": list(self.changes),
            "lost": list(self.lost),
            "reason": self.reason or None,
        }


@dataclass
class Outcome:
    """What became of an export.

    Args:
        items: In the order in which they were done.
        unmatched: Names of people who have no account here.
        lost: Parts that could not even be read.
        policies: By their key there.
    """

    items: list[Item] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    lost: tuple[str, ...] = ()
    policies: dict[str, EscalationPolicy] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether all of it was carried, and everybody is known."""
        refused = any(item.action == "refuse" for item in self.items)
        return not (refused or self.unmatched or self.lost)
