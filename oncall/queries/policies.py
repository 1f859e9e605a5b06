"""Which policy holds for a service, and its ladders."""

from catalog.models import Service
from oncall.domain.escalations import (
    DEFAULT_TIMINGS,
    Ladder,
    Phase,
    Step,
    Timing,
    Urgency,
    in_order,
)
from oncall.models import EscalationPolicy

__all__ = ["ladder_of", "policy_for"]


def policy_for(service: Service | None) -> EscalationPolicy | None:
    """Return the policy of a service, else the default one; None when there is neither."""
    policies = EscalationPolicy.objects.prefetch_related("levels__targets", "timings")
    if service is not None:
        own = policies.filter(services__service=service).first()
        if own is not None:
            return own
    return policies.filter(is_default=True).first()


def ladder_of(policy: EscalationPolicy, severity: str, phase: Phase) -> Ladder | None:
    """Return the steps of a policy for one severity, None when it calls nobody in that phase.

    Levels without a target stay in it: an escalation says that nobody was there, and goes on.
    """
    levels = {level.number: level for level in policy.levels.all()}
    steps = []
    for timing in in_order(_timings(policy, severity, phase)):
        level = levels.get(timing.level)
        if level is None:
            continue
        targets = [{"kind": target.kind, "id": target.target_id} for target in level.targets.all()]
        steps.append(
            Step(
                level=level.number,
                after=timing.after,
                urgency=timing.urgency,
                in_working_hours=timing.in_working_hours,
                targets=tuple(targets),
                mode=level.mode,
            )
        )
    if not steps:
        return None
    loops = policy.loops if phase is Phase.UNACKNOWLEDGED and severity in {"P0", "P1"} else 1
    return Ladder(tuple(steps), loops, policy.repeat_after)


def _timings(policy: EscalationPolicy, severity: str, phase: Phase) -> list[Timing]:
    own = [
        Timing(row.level, row.after, Urgency(row.urgency), row.in_working_hours)
        for row in policy.timings.all()
        if (row.phase, row.severity) == (phase, severity)
    ]
    return own or list(DEFAULT_TIMINGS.get((phase, severity), ()))
