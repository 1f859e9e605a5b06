"""What is promised for each severity."""

from incidents.domain.response_targets import DEFAULTS, Target
from incidents.models import ResponseTarget

__all__ = ["response_target", "response_targets"]


def response_target(severity: str) -> Target:
    """Return what is promised for a severity: the edited row, else the default."""
    return response_targets()[severity]


def response_targets() -> dict[str, Target]:
    """Return what is promised for every severity: the edited rows, else the defaults."""
    edited = {
        row.severity: Target(row.respond_within, row.resolve_within, row.update_every)
        for row in ResponseTarget.objects.all()
    }
    return {**DEFAULTS, **edited}
