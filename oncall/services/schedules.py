"""Schedules, overrides and swaps: written here, with their audit."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction

from accounts.models import User
from accounts.roles import Role
from core import audit
from core.audit import Who
from core.changes import differing
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from core.locking import as_stored, lock_in_order, locked, store
from core.reach import BEYOND, is_within_reach
from oncall.domain.spans import Span, merged
from oncall.models import (
    Layer,
    LayerMember,
    LayerRestriction,
    Override,
    PolicyLevel,
    Schedule,
    ShiftSwap,
)
from oncall.queries.rotas import shifts
from oncall.services.cleaning import clean, each_day_once

__all__ = [
    "accept_swap",
    "ask_for_swap",
    "delete_override",
    "delete_schedule",
    "save_override",
    "save_schedule",
    "withdraw_swap",
]

MOST_LAYERS, MOST_PEOPLE = 20, 100
LONGEST_OVERRIDE = timedelta(days=366)
OfSchedule = TypeVar("OfSchedule", Override, ShiftSwap)
_LAYER = ("name", "first_on", "handover_at", "unit", "every", "until", "on_holidays")
_RULE = ("begins", "ends", "weekdays")


@transaction.atomic
def save_schedule(
    schedule: Schedule,
    *,
    fields: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]] | None,
    actor: Who,
    now: datetime,
) -> Schedule:
    """Create or change a schedule; given layers replace all that it had.

    What is as it was is neither written nor told.

    Args:
        schedule: New or stored.
        fields: `slug`, `name`, `team`, `timezone`, `holidays`, `description`.
        layers: From the lowest up, each with `name`, `first_on`, `handover_at`, `unit`, `every`,
            `until`, `on_holidays`, `people` (users, in turn) and `restrictions` (`begins`, `ends`, `weekdays`);
            None leaves them as they are.
        actor: Who.
        now: When.

    Raises:
        InvalidInput: Names what is wrong.
        NotFound: It was deleted meanwhile.
    """
    is_new = schedule.pk is None
    schedule = as_stored(schedule)
    fields = differing(schedule, fields)
    if layers is not None and not is_new and _told(layers) == _told(_stored(schedule)):
        layers = None
    if not (is_new or fields or layers is not None):
        return schedule
    for name, value in fields.items():
        setattr(schedule, name, value)
    clean(schedule)
    store(schedule, fields)
    if layers is not None:
        _replace_layers(schedule, layers)
    act = "schedule.created" if is_new else "schedule.changed"
    changes = {name: str(value) for name, value in fields.items()}
    if layers is not None:
        changes["layers"] = str(_told(layers))[:2000]
    audit.record(act=act, subject=schedule, actor=actor, now=now, changes=changes)
    return schedule


@transaction.atomic
def delete_schedule(schedule: Schedule, *, actor: Who, now: datetime) -> None:
    """Delete a schedule by which no policy calls, with its overrides, swaps and handoffs.

    Raises:
        Conflict: Some do; they are named.
        NotFound: It was deleted already.
    """
    schedule = locked(schedule, to_delete=True)
    levels = PolicyLevel.objects.filter(targets__schedule=schedule)
    names = levels.values_list("policy__name", flat=True).distinct().order_by("policy__name")
    if policies := list(names[:4]):
        told = ", ".join(policies[:3]) + (" and others" if len(policies) > 3 else "")
        raise Conflict(f"Policies call by it: {told}. Have them call somebody else first.")
    name = audit.subject_name(schedule)
    schedule.delete()
    audit.record(act="schedule.deleted", subject=name, actor=actor, now=now)


def _replace_layers(schedule: Schedule, layers: Sequence[Mapping[str, Any]]) -> None:
    if len(layers) > MOST_LAYERS:
        raise InvalidInput(f"A schedule has {MOST_LAYERS} layers at most.", field="layers")
    schedule.layers.all().delete()
    for position, given in enumerate(layers):
        path = f"layers[{position}]"
        layer = Layer(
            schedule=schedule,
            position=position,
            **{name: given[name] for name in _LAYER if name in given},
        )
        clean(layer, within=path, without=["schedule"])
        layer.save(force_insert=True)
        people = list(given.get("people", ()))
        if not 1 <= len(people) <= MOST_PEOPLE:
            raise InvalidInput(f"A layer has 1 to {MOST_PEOPLE} people.", field=f"{path}.people")
        LayerMember.objects.bulk_create(
            LayerMember(layer=layer, position=turn, person=person)
            for turn, person in enumerate(people)
        )
        for number, rule in enumerate(given.get("restrictions", ())):
            restriction = LayerRestriction(layer=layer, **rule)
            restriction.weekdays = each_day_once(restriction.weekdays)
            clean(restriction, within=f"{path}.restrictions[{number}]", without=["layer"])
            restriction.save(force_insert=True)


def _stored(schedule: Schedule) -> list[dict[str, Any]]:
    """Return the layers of a schedule as they would be given."""
    layers = schedule.layers.prefetch_related("members__person", "restrictions")
    return [
        {
            **{name: getattr(layer, name) for name in _LAYER},
            "people": [
                member.person
                for member in sorted(layer.members.all(), key=lambda member: member.position)
            ],
            "restrictions": [
                {name: getattr(rule, name) for name in _RULE} for rule in layer.restrictions.all()
            ],
        }
        for layer in layers
    ]


def _told(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return layers as the audit tells them, with what holds where nothing is said."""
    return [
        {
            **{name: _plain(getattr(whole, name)) for name in _LAYER},
            "people": [person.username for person in layer.get("people", ())],
            "restrictions": sorted(
                f"{rule.begins:%H:%M:%S}-{rule.ends:%H:%M:%S} {each_day_once(rule.weekdays)}"
                for rule in (LayerRestriction(**given) for given in layer.get("restrictions", ()))
            ),
        }
        for layer in layers
        for whole in [Layer(**{name: layer[name] for name in _LAYER if name in layer})]
    ]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)


@transaction.atomic
def save_override(
    override: Override,
    *,
    fields: Mapping[str, Any],
    actor: Who,
    now: datetime,
    is_history: bool = False,
) -> Override:
    """Let somebody take over for a while, from now on at the earliest: who was on call stays so.

    Args:
        override: New or stored.
        fields: `schedule`, `person`, `starts_at`, `ends_at`, `reason`.
        actor: Who.
        now: When.
        is_history: It was so before it was written down here; it begins when it says.

    Raises:
        InvalidInput: It ends before it starts, lies in the past, or is longer than a year; or it has
            begun, and more than its end would change.
        NotFound: It was deleted meanwhile.
    """
    is_new = override.pk is None
    if not is_new:
        override = _locked(override, moves_to=fields.get("schedule"))
    has_begun = not is_new and override.starts_at < now
    if has_begun:
        _check_past(override, fields, now=now)
    fields = differing(override, fields)
    if not (is_new or fields):
        return override
    was = None if is_new or "person" in fields else (override.starts_at, override.ends_at)
    for name, value in fields.items():
        setattr(override, name, value)
    _check_override(override, was, now=now)
    if not (has_begun or is_history):
        override.starts_at = max(override.starts_at, now)
    if is_new:
        override.created_by = audit.actor_name(actor)[:200]
    store(override, {*fields, "starts_at"})
    act = "override.created" if is_new else "override.changed"
    changes = {name: str(getattr(override, name)) for name in fields}
    audit.record(act=act, subject=override, actor=actor, now=now, changes=changes)
    return override


def _check_override(
    override: Override, was: tuple[datetime, datetime] | None, *, now: datetime
) -> None:
    """Refuse what no override can be; of somebody deactivated since it may end sooner, not last longer.

    Args:
        override: As it is to be.
        was: Begin and end of what the same person has already; None: nothing.
        now: The present.
    """
    _refuse_beyond(override)
    if not override.starts_at < override.ends_at <= override.starts_at + LONGEST_OVERRIDE:
        raise InvalidInput("An override ends after it starts, within a year.", field="ends_at")
    if override.ends_at <= now:
        raise InvalidInput("An override ends later than now.", field="ends_at")
    person = override.person
    if person is None or person.is_active:
        return
    if was is None or override.starts_at < was[0] or override.ends_at > was[1]:
        raise InvalidInput(f"{person} is no longer active.", field="person")


def _refuse_beyond(row: Override | ShiftSwap) -> None:
    """Refuse what begins or ends beyond the years of calendars."""
    for name in ("starts_at", "ends_at"):
        if not is_within_reach(getattr(row, name)):
            raise InvalidInput(BEYOND, field=name)


def _check_past(override: Override, fields: Mapping[str, Any], *, now: datetime) -> None:
    """Refuse to change who was on call."""
    if override.ends_at <= now:
        raise InvalidInput("It is over: make another.", field="ends_at")
    for name in ("schedule", "person", "starts_at"):
        if name in fields and fields[name] != getattr(override, name):
            raise InvalidInput("It has begun: take it back, and make another.", field=name)


@transaction.atomic
def delete_override(override: Override, *, actor: Who, now: datetime) -> None:
    """Take an override back; one that has begun ends now, so that the past stays what it was.

    Raises:
        Conflict: It is over.
        NotFound: It was deleted already.
    """
    override = _locked(override)
    if override.ends_at <= now:
        raise Conflict("It is over: who was on call stays so.")
    name = audit.subject_name(override)
    if override.starts_at < now:
        override.ends_at = now
        override.save(update_fields=["ends_at", "updated_at"])
    else:
        override.delete()
    audit.record(act="override.deleted", subject=name, actor=actor, now=now)


def _locked(row: OfSchedule, *, moves_to: Schedule | None = None) -> OfSchedule:
    """Return an override or a swap as it is now, locked after its schedule, and after another one.

    Raises:
        NotFound: It was deleted meanwhile.
    """
    schedules = {row.schedule_id, moves_to.pk if moves_to else row.schedule_id}
    if lock_in_order(Schedule.objects.filter(pk__in=schedules)) < schedules:
        raise NotFound("That schedule is not there any more.")
    return locked(row)


@transaction.atomic
def ask_for_swap(swap: ShiftSwap, *, actor: User, now: datetime, token: Who = None) -> ShiftSwap:
    """Ask to be replaced; the audit names the token, where a program asks for them.

    Raises:
        InvalidInput: It lies in the past, ends before it starts, is longer than a year, whoever asks
            is not on call in that time, or whom they ask could not accept.
        NotFound: The schedule was deleted meanwhile.
    """
    swap.schedule = locked(swap.schedule)
    _refuse_beyond(swap)
    if not now < swap.ends_at or swap.ends_at <= swap.starts_at:
        raise InvalidInput("A swap ends after it starts, later than now.", field="ends_at")
    if swap.ends_at > swap.starts_at + LONGEST_OVERRIDE:
        raise InvalidInput("A swap ends within a year.", field="ends_at")
    other = swap.offered_to
    if other is not None and other.pk == actor.pk:
        raise InvalidInput("Ask somebody else, or anybody.", field="offered_to")
    if other is not None and not other.has_role(Role.RESPONDER):
        message = f"{other} cannot accept: ask somebody who responds, or anybody."
        raise InvalidInput(message, field="offered_to")
    swap.asked_by, swap.state = actor, ShiftSwap.State.ASKED
    if not _places(swap, now=now):
        raise InvalidInput("You are not on call in that time.", field="starts_at")
    swap.save(force_insert=True)
    audit.record(act="swap.asked", subject=swap, actor=token or actor, now=now)
    return swap


@transaction.atomic
def accept_swap(swap: ShiftSwap, *, actor: User, now: datetime, token: Who = None) -> ShiftSwap:
    """Take somebody's place: overrides are made for when they are on call, from now on.

    Raises:
        Conflict: It was accepted or withdrawn already, is over, or they are no longer on call then.
        Forbidden: It was offered to somebody else, or they asked for it themselves.
        NotFound: It was deleted meanwhile.
    """
    swap = _locked(swap)
    if swap.state != ShiftSwap.State.ASKED or swap.ends_at <= now:
        raise Conflict("It can no longer be accepted.")
    if swap.asked_by_id == actor.pk:
        raise Forbidden("You asked for it: somebody else accepts it, or you withdraw it.")
    if swap.offered_to_id not in {None, actor.pk}:
        raise Forbidden("It was offered to somebody else.")
    made = [
        save_override(
            Override(),
            fields={
                "schedule": swap.schedule,
                "person": actor,
                "starts_at": place.start,
                "ends_at": place.end,
                "reason": f"Swap with {swap.asked_by}",
            },
            actor=token or actor,
            now=now,
        )
        for place in _places(swap, now=now)
    ]
    if not made:
        raise Conflict(f"{swap.asked_by} is no longer on call in that time.")
    swap.override, swap.state = made[0], ShiftSwap.State.ACCEPTED
    swap.save(update_fields=["state", "override", "updated_at"])
    audit.record(act="swap.accepted", subject=swap, actor=token or actor, now=now)
    return swap


def _places(swap: ShiftSwap, *, now: datetime) -> list[Span]:
    """Return when whoever asks would be on call, of what is still to come: nobody else is replaced."""
    held = shifts(swap.schedule, Span(max(swap.starts_at, now), swap.ends_at))
    return merged(shift.span for shift in held if shift.person == swap.asked_by_id)


@transaction.atomic
def withdraw_swap(swap: ShiftSwap, *, actor: User, now: datetime, token: Who = None) -> ShiftSwap:
    """Take the question back; whoever asked may, and managers.

    Raises:
        Conflict: It was accepted or withdrawn already.
        Forbidden: Somebody else asked.
        NotFound: It was deleted meanwhile.
    """
    swap = _locked(swap)
    if swap.asked_by_id != actor.pk and not actor.has_role(Role.MANAGER):
        raise Forbidden("Somebody else asked for it.")
    if swap.state != ShiftSwap.State.ASKED:
        raise Conflict("It can no longer be withdrawn.")
    swap.state = ShiftSwap.State.WITHDRAWN
    swap.save(update_fields=["state", "updated_at"])
    audit.record(act="swap.withdrawn", subject=swap, actor=token or actor, now=now)
    return swap
