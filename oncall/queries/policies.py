"""Which policy holds for a service, and its ladders."""

from collections.abc import Collection

from django.db.models import Q

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
from oncall.models import EscalationPolicy, ServicePolicy

__all__ = ["ladder_of", "policies_for", "policy_for", "timings_of"]


def policy_for(service: Service | None) -> EscalationPolicy | None:
    """Return the policy of a service, else the default one; None when there is neither."""
    key = service.pk if service is not None else None
    return policies_for([key])[key]


def policies_for(services: Collection[int | None]) -> dict[int | None, EscalationPolicy | None]:
    """Return the policy of each service, by its primary key; of None the default one."""
    own = ServicePolicy.objects.filter(service__in=[key for key in services if key is not None])
    policy_of = dict(own.values_list("service_id", "policy_id"))
    wanted = Q(pk__in=policy_of.values()) | Q(is_default=True)
    found = EscalationPolicy.objects.filter(wanted).select_related("holidays")
    found = found.prefetch_related("levels__targets", "timings", "holidays__days")
    by_key = {policy.pk: policy for policy in found}
    default = next((policy for policy in by_key.values() if policy.is_default), None)
    return {key: by_key.get(policy_of.get(key or 0, 0), default) for key in services}


def ladder_of(policy: EscalationPolicy, severity: str, phase: Phase) -> Ladder | None:
    """Return the steps of a policy for one severity, None when it calls nobody in that phase.

    Levels without a target stay in it: an escalation says that nobody was there, and goes on.
    """
    levels = {level.number: level for level in policy.levels.all()}
    steps = []
    for timing in in_order(timings_of(policy, severity, phase)):
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
                acknowledgements=level.acknowledgements,
            )
        )
    if not steps:
        return None
    loops = policy.loops if phase is Phase.UNACKNOWLEDGED and severity in {"P0", "P1"} else 1
    return Ladder(tuple(steps), loops, policy.repeat_after)


def timings_of(policy: EscalationPolicy | None, severity: str, phase: Phase) -> list[Timing]:
    """Return when levels are called: a policy's own rows, else the operations guide's matrix."""
    own = [
        Timing(row.level, row.after, Urgency(row.urgency), row.in_working_hours)
        for row in (policy.timings.all() if policy is not None else ())
        if (row.phase, row.severity) == (phase, severity)
    ]
    return own or list(DEFAULT_TIMINGS.get((phase, severity), ()))
