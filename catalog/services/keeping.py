"""What keeps a team from being deleted, as the apps above say, which the catalog does not know."""

from collections.abc import Callable

from catalog.models import Team

__all__ = ["Reason", "kept_by", "register"]

Reason = Callable[[Team], list[str]]
"""Returns what still needs a team, in words, and holds what it has looked at."""

_REASONS: list[Reason] = []


def register(reason: Reason) -> None:
    """Ask `reason` before a team is deleted; registering twice changes nothing."""
    if reason not in _REASONS:
        _REASONS.append(reason)


def kept_by(team: Team) -> list[str]:
    """Return what still needs a team, in words."""
    return [each for reason in _REASONS for each in reason(team)]
