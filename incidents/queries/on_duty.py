"""Who is called first for a service."""

from dataclasses import dataclass
from datetime import datetime

from catalog.models import Service
from oncall.domain.escalations import Phase
from oncall.models import EscalationPolicy
from oncall.queries.policies import ladder_of, policy_for
from oncall.queries.targets import Called, called_by

__all__ = ["Duty", "first_called"]


@dataclass(frozen=True)
class Duty:
    """By which policy a service calls, and whom its first level calls now.

    Args:
        policy: The service's, else the default one.
        level: 1 to 9.
        called: People, channels, and who is missing.
    """

    policy: EscalationPolicy
    level: int
    called: Called


def first_called(service: Service, now: datetime) -> Duty | None:
    """Return whom a P1 incident of a service calls first; None where nothing calls anybody."""
    policy = policy_for(service)
    ladder = ladder_of(policy, "P1", Phase.UNACKNOWLEDGED) if policy else None
    if policy is None or ladder is None:
        return None
    first = ladder.steps[0]
    return Duty(policy, first.level, called_by(first.targets, now))
