"""What is promised for each severity."""

from incidents.domain.response_targets import DEFAULTS, Target
from incidents.models import ResponseTarget

__all__ = ["response_target"]


def response_target(severity: str) -> Target:
    """Return what is promised for a severity: the edited row, else the default."""
    row = ResponseTarget.objects.filter(severity=severity).first()
    if row is None:
        return DEFAULTS[severity]
    return Target(row.respond_within, row.resolve_within, row.update_every)
