"""Escalation policies and which service is called by which: written here, with their audit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from catalog.models import Service
from core import audit
from core.audit import Who
from core.changes import differing
from core.errors import Conflict, InvalidInput
from core.locking import as_stored, lock_in_order, locked, store
from oncall.models import EscalationPolicy, LevelTarget, PolicyLevel, ServicePolicy, Timing
from oncall.services.cleaning import clean, each_day_once

__all__ = ["delete_policy", "refuse_calls_of_nobody", "save_policy"]

MOST_TARGETS = 20
_LEVEL = ("number", "name", "mode", "acknowledgements")
_TARGET = ("schedule", "person", "team", "channel", "role")
_TIMING = ("phase", "severity", "level", "after", "urgency", "in_working_hours")


@transaction.atomic
def save_policy(
    policy: EscalationPolicy,
    *,
    fields: Mapping[str, Any],
    levels: Sequence[Mapping[str, Any]] | None,
    timings: Sequence[Mapping[str, Any]] | None,
    services: Sequence[Service] | None,
    actor: Who,
    now: datetime,
) -> EscalationPolicy:
    """Create or change a policy; what is given replaces what it had, None leaves it.

    What is as it was is neither written nor told. Escalations that run already go on as they began.

    Args:
        policy: New or stored.
        fields: By field of the model.
        levels: Each with `number`, `name`, `mode` and `targets`: dictionaries with one of
            `schedule`, `person`, `team`, `channel`.
        timings: Each with `phase`, `severity`, `level`, `after`, `urgency`, `in_working_hours`;
            a severity without any follows the guide's matrix.
        services: That are called by it.
        actor: Who.
        now: When.

    Raises:
        InvalidInput: Names what is wrong.
        NotFound: It was deleted meanwhile.
    """
    is_new = policy.pk is None
    if fields.get("is_default"):
        # Two that become the default at once take turns.
        lock_in_order(EscalationPolicy.objects.all())
    policy = as_stored(policy)
    if "work_days" in fields:
        fields = {**fields, "work_days": each_day_once(fields["work_days"])}
    fields = differing(policy, fields)
    parts = {"levels": levels, "timings": timings, "called_for": services}
    told = _differing_parts(policy, parts)
    if not (is_new or fields or told):
        return policy
    _pass_default_on(policy, fields)
    for name, value in fields.items():
        setattr(policy, name, value)
    clean(policy)
    store(policy, fields)
    for part in told:
        _REPLACE[part](policy, parts[part])
    if told.keys() & {"levels", "timings"}:
        refuse_calls_of_nobody(policy)
    changes = {name: str(value) for name, value in fields.items()}
    changes |= {part: str(rows)[:2000] for part, rows in told.items()}
    act = "policy.created" if is_new else "policy.changed"
    audit.record(act=act, subject=policy, actor=actor, now=now, changes=changes)
    return policy


@transaction.atomic
def call_by(
    service: Service, policy: EscalationPolicy, *, actor: Who, now: datetime
) -> EscalationPolicy:
    """Have a service called by a policy, unless it is called by one; returns by which it is."""
    held, is_new = ServicePolicy.objects.select_related("policy").get_or_create(
        service=service, defaults={"policy": policy}
    )
    if is_new:
        changes = {"called_for": service.slug}
        audit.record(act="policy.changed", subject=policy, actor=actor, now=now, changes=changes)
    return held.policy


@transaction.atomic
def delete_policy(policy: EscalationPolicy, *, actor: Who, now: datetime) -> None:
    """Delete a policy by which no service is called.

    Raises:
        Conflict: Some are, or it is the default.
        NotFound: It was deleted already.
    """
    policy = locked(policy, to_delete=True)
    if policy.is_default or policy.services.exists():
        raise Conflict("Services are called by it; give them another policy first.")
    name = audit.subject_name(policy)
    policy.delete()
    audit.record(act="policy.deleted", subject=name, actor=actor, now=now)


def _pass_default_on(policy: EscalationPolicy, fields: Mapping[str, Any]) -> None:
    """Have the policy that was the default no longer be it, where another becomes it."""
    is_wanted = fields.get("is_default", policy.is_default)
    if policy.pk is not None and policy.is_default and not is_wanted:
        raise InvalidInput("Make another policy the default one instead.", field="is_default")
    if is_wanted:
        others = EscalationPolicy.objects.filter(is_default=True).exclude(pk=policy.pk)
        others.update(is_default=False)


def _replace_levels(policy: EscalationPolicy, levels: Sequence[Mapping[str, Any]]) -> None:
    policy.levels.all().delete()
    numbers = [given.get("number") for given in levels]
    if len(set(numbers)) != len(numbers):
        raise InvalidInput("Each level has a number of its own.", field="levels")
    for position, given in enumerate(levels):
        path = f"levels[{position}]"
        targets = given.get("targets", ())
        level = PolicyLevel(
            policy=policy, **{name: given[name] for name in given if name != "targets"}
        )
        clean(level, within=path, without=["policy"])
        level.save(force_insert=True)
        if len(targets) > MOST_TARGETS:
            raise InvalidInput(
                f"A level has {MOST_TARGETS} targets at most.", field=f"{path}.targets"
            )
        for number, chosen in enumerate(targets):
            target = LevelTarget(level=level, **chosen)
            clean(target, within=f"{path}.targets[{number}]", without=["level"])
            target.save(force_insert=True)


def _replace_timings(policy: EscalationPolicy, timings: Sequence[Mapping[str, Any]]) -> None:
    policy.timings.all().delete()
    made = [Timing(policy=policy, **given) for given in timings]
    if len({(each.phase, each.severity, each.level) for each in made}) != len(made):
        message = "A level has one time for each phase and severity."
        raise InvalidInput(message, field="timings")
    for number, timing in enumerate(made):
        clean(timing, within=f"timings[{number}]", without=["policy"])
        timing.save(force_insert=True)


def refuse_calls_of_nobody(policy: EscalationPolicy) -> None:
    """Refuse times of levels that are not there: nobody would be called then.

    Raises:
        InvalidInput: Names the levels.
    """
    numbers = policy.levels.values("number")
    lost = policy.timings.exclude(level__in=numbers).values_list("level", flat=True).distinct()
    if lost:
        levels = ", ".join(f"L{level}" for level in sorted(lost))
        raise InvalidInput(f"There is no {levels}, which they call.", field="timings")


def _assign(policy: EscalationPolicy, services: Sequence[Service]) -> None:
    # All of them first, and in order: policies that take services from each other wait their turn.
    lock_in_order(ServicePolicy.objects.filter(Q(policy=policy) | Q(service__in=services)))
    policy.services.exclude(service__in=services).delete()
    for service in sorted(services, key=lambda service: service.pk):
        ServicePolicy.objects.update_or_create(service=service, defaults={"policy": policy})


_REPLACE: Mapping[str, Callable[[EscalationPolicy, Any], None]] = {
    "levels": _replace_levels,
    "timings": _replace_timings,
    "called_for": _assign,
}


def _differing_parts(
    policy: EscalationPolicy, parts: Mapping[str, Sequence[Any] | None]
) -> dict[str, list[str]]:
    """Return those parts that are given and other than stored, as the audit tells them."""
    told = {part: _TELL[part](rows) for part, rows in parts.items() if rows is not None}
    if policy.pk is None:
        return {part: rows for part, rows in told.items() if rows}
    stored: dict[str, list[Any]] = {
        "levels": [
            {
                **_fields(level, _LEVEL),
                "targets": [_fields(t, _TARGET) for t in level.targets.all()],
            }
            for level in policy.levels.prefetch_related("targets")
        ],
        "timings": [_fields(timing, _TIMING) for timing in policy.timings.all()],
        "called_for": [link.service for link in policy.services.select_related("service")],
    }
    return {part: rows for part, rows in told.items() if rows != _TELL[part](stored[part])}


def _fields(row: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _told_levels(levels: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(_told_level(**level) for level in levels)


def _told_level(targets: Iterable[Mapping[str, Any]] = (), **fields: Any) -> str:
    level = PolicyLevel(**fields)
    called = ", ".join(_told_target(target) for target in targets)
    asked = f" {level.acknowledgements} of" if level.acknowledgements != 1 else ""
    return f"L{level.number} {level.name}: {level.mode}{asked} [{called}]"


def _told_target(chosen: Mapping[str, Any]) -> str:
    """Return all that are named: more than one is refused, also where the first is as stored."""
    named = ({kind: whom} for kind, whom in chosen.items() if whom)
    return " and ".join(str(LevelTarget(**each)) for each in named)


def _told_timings(timings: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted(
        f"{each.phase} {each} {each.urgency}{' in working hours' if each.in_working_hours else ''}"
        for each in (Timing(**given) for given in timings)
    )


_TELL: Mapping[str, Callable[[Any], list[str]]] = {
    "levels": _told_levels,
    "timings": _told_timings,
    "called_for": lambda services: sorted(service.slug for service in services),
}
