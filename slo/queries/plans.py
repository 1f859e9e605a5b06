"""Reading what judging needs of all SLOs, in a few queries for any number of them."""

from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from core.errors import NotFound
from slo.domain.plans import Member, Method, Plan, WindowRule
from slo.domain.state import STANDARD, State, StatePolicy
from slo.domain.windows import Period, Version
from slo.models import BudgetPolicy, CompositeMember, Sli, Slo, SloVersion
from slo.queries import adjustments

_FIELDS = (
    "pk",
    "sli_id",
    "sli__slot",
    "sli__kind",
    "method",
    "window_kind",
    "window_days",
    "calendar_period",
    "timezone",
    "sli__source__delay_minutes",
    "minimum_events",
    "sli__data_since",
    "is_enabled",
    "standing__state",
    "standing__state_since",
    "policy_id",
)


def load(*, disabled: bool = False, only: Collection[int] | None = None) -> list[Plan]:
    """Return the plans of all enabled SLOs, or of all, by id; members of composites are linked, not listed.

    A composite's windows end when the data of its latest member is in.

    Args:
        disabled: Return those of disabled SLOs, too.
        only: Ids of the SLOs to read, the members of composites among them; None reads every one.
    """
    rows, versions = Slo.objects.order_by("pk"), _versions(only)
    if only is not None:
        rows = rows.filter(pk__in=only)
    adjusted = adjustments.adjusted_slos()
    policies: dict[int | None, StatePolicy] = {None: STANDARD}
    policies |= {row.pk: row.as_domain() for row in BudgetPolicy.objects.all()}
    rules: dict[tuple[Any, ...], WindowRule] = {}
    plans: dict[int, Plan] = {}
    composites: dict[int, list[Plan]] = defaultdict(list)
    for row in rows.values_list(*_FIELDS):
        pk, sli, slot, kind, method, *window, minimum, since, enabled, state, begun, policy = row
        if pk not in versions:
            continue  # It was made since the versions were read.
        key = tuple(window)
        if key not in rules:
            rules[key] = _rule(*key)
        plan = Plan(
            pk=pk,
            slot=slot,
            method=Method(method),
            rule=rules[key],
            versions=versions[pk],
            minimum_events=minimum,
            data_since=since,
            state=State(state) if state else State.NO_DATA,
            state_since=begun,
            is_enabled=enabled,
            is_composite=kind == Sli.Kind.COMPOSITE,
            is_adjusted=pk in adjusted,
            policy=policies[policy],
        )
        plans[pk] = plan
        if plan.is_composite:
            composites[sli].append(plan)
    if composites:
        _link_members(composites, plans)
    return [plan for plan in plans.values() if plan.is_enabled or disabled]


def of(slo: Slo) -> Plan:
    """Return the plan of one SLO, enabled or not; nothing is read of SLOs that are no part of it.

    Raises:
        NotFound: Somebody deleted it.
    """
    found = of_each([slo])
    if slo.pk not in found:
        raise NotFound("Somebody deleted this objective a moment ago.")
    return found[slo.pk]


def of_each(slos: Collection[Slo]) -> dict[int, Plan]:
    """Return the plans of some SLOs, enabled or not, by id; as many queries as for one.

    One that somebody deleted since it was read has none.

    Args:
        slos: With their SLIs.
    """
    found = {plan.pk: plan for plan in load(disabled=True, only=_parts_of(slos))}
    return {slo.pk: found[slo.pk] for slo in slos if slo.pk in found}


def _parts_of(slos: Collection[Slo]) -> set[int]:
    """Return the ids of SLOs and, of those that are composites, of all their members and theirs."""
    parts = {slo.pk for slo in slos}
    owners = {slo.sli_id for slo in slos if slo.sli.kind == Sli.Kind.COMPOSITE}
    while owners:
        members = CompositeMember.objects.filter(sli__in=owners).exclude(slo__in=parts)
        found = list(members.values_list("slo_id", "slo__sli_id", "slo__sli__kind"))
        parts |= {pk for pk, _, _ in found}
        owners = {sli for _, sli, kind in found if kind == Sli.Kind.COMPOSITE}
    return parts


def _rule(kind: str, days: int, period: str, zone: str, delay_minutes: int | None) -> WindowRule:
    rolls = kind == Slo.WindowKind.ROLLING
    delay = timedelta(minutes=delay_minutes or 0)
    return WindowRule(days if rolls else 0, Period(period), "" if rolls else zone, delay)


def _versions(only: Collection[int] | None) -> dict[int, tuple[Version, ...]]:
    """Return every SLO's versions, oldest first; those with the same one share it."""
    found: dict[int, list[Version]] = defaultdict(list)
    known: dict[tuple[Any, Any], Version] = {}
    rows = SloVersion.objects.order_by("effective_from", "pk")
    if only is not None:
        rows = rows.filter(slo__in=only)
    for slo, objective, since in rows.values_list("slo_id", "objective", "effective_from"):
        key = (objective, since)
        if key not in known:
            known[key] = Version(objective, since)
        found[slo].append(known[key])
    return {slo: tuple(versions) for slo, versions in found.items()}


def _link_members(composites: dict[int, list[Plan]], plans: dict[int, Plan]) -> None:
    members: dict[int, list[Member]] = defaultdict(list)
    rows = CompositeMember.objects.filter(sli__in=composites).order_by("pk")
    for sli, slo, weight in rows.values_list("sli_id", "slo_id", "weight"):
        # One that was added since is a member from the next reading on.
        if slo in plans:
            members[sli].append(Member(plans[slo], weight))
    for sli, owners in composites.items():
        for plan in owners:
            plan.members = tuple(members[sli])
    for owners in composites.values():
        for plan in owners:
            latest = max((leaf.rule.delay for leaf in plan.leaves()), default=timedelta())
            plan.rule = plan.rule._replace(delay=latest)
