"""Swaps that are asked for, and what somebody may do about them."""

from datetime import datetime

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.roles import Role
from oncall.models import ShiftSwap

__all__ = ["may_accept", "may_withdraw", "open_swaps", "swaps_to_accept"]


def open_swaps(now: datetime) -> QuerySet[ShiftSwap]:
    """Return what is still asked, the earliest first, with who asks whom."""
    rows = ShiftSwap.objects.filter(state=ShiftSwap.State.ASKED, ends_at__gt=now)
    return rows.select_related("schedule", "asked_by", "offered_to").order_by("starts_at")


def swaps_to_accept(user: User, now: datetime) -> QuerySet[ShiftSwap]:
    """Return the questions of others that a person may say yes to; viewers to none."""
    if not user.has_role(Role.RESPONDER):
        return ShiftSwap.objects.none()
    theirs = Q(offered_to=None) | Q(offered_to=user)
    return open_swaps(now).filter(theirs).exclude(asked_by=user)


def may_accept(swap: ShiftSwap, user: User) -> bool:
    """Return whether a person may take somebody's place."""
    is_theirs = swap.offered_to_id in {None, user.pk} and swap.asked_by_id != user.pk
    return is_theirs and user.has_role(Role.RESPONDER)


def may_withdraw(swap: ShiftSwap, user: User) -> bool:
    """Return whether a person may take a question back: whoever asked, and managers."""
    is_theirs = swap.asked_by_id == user.pk and user.has_role(Role.RESPONDER)
    return is_theirs or user.has_role(Role.MANAGER)
