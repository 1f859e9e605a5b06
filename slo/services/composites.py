"""What composite SLIs are made of: other objectives, each with its weight."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from core import audit
from slo.models import CompositeMember, Sli, Slo

if TYPE_CHECKING:
    from accounts.models import User

MOST = 100
MOST_WEIGHT = 2**31 - 1


@transaction.atomic
def set_members(
    sli: Sli, members: Mapping[Slo, int], *, actor: "User | str | None", now: datetime
) -> None:
    """Make a composite the weighted mean of these objectives, and of no others.

    Raises:
        ValidationError: Under `members`.
    """
    # Two changes at a time could make a circle that neither sees.
    list(Sli.objects.select_for_update().filter(kind=Sli.Kind.COMPOSITE).order_by("pk"))
    if problem := problem_of(sli, members):
        raise ValidationError({"members": problem})
    before = {row.slo_id: row.weight for row in CompositeMember.objects.filter(sli=sli)}
    after = {slo.pk: weight for slo, weight in members.items()}
    if before == after:
        return
    CompositeMember.objects.filter(sli=sli).exclude(slo__in=after).delete()
    for slo, weight in after.items():
        CompositeMember.objects.update_or_create(sli=sli, slo_id=slo, defaults={"weight": weight})
    slugs = dict(Slo.objects.filter(pk__in={*before, *after}).values_list("pk", "slug"))
    changes = [{slugs[pk]: weight for pk, weight in side.items()} for side in (before, after)]
    audit.record(
        act="sli.members_changed", subject=sli, actor=actor, now=now, changes={"members": changes}
    )


def problem_of(sli: Sli, members: Mapping[Slo, int]) -> str:
    """Say why an SLI cannot be made of these objectives; empty when it can."""
    if sli.kind != Sli.Kind.COMPOSITE:
        return "Only a composite has members; leave them out." if members else ""
    if not 0 < len(members) <= MOST:
        return f"A composite has 1 to {MOST} objectives."
    if any(not 0 < weight <= MOST_WEIGHT for weight in members.values()):
        return "Weights are whole numbers from 1 on."
    circle = _circle(sli, members)
    return f"{circle} is made of this composite itself." if circle else ""


def _circle(sli: Sli, members: Mapping[Slo, int]) -> str:
    """Return the slug of a member that leads back to `sli`, or an empty text."""
    if sli.pk is None:
        return ""
    parts: dict[int, set[int]] = {}
    for owner, part in CompositeMember.objects.values_list("sli_id", "slo__sli_id"):
        parts.setdefault(owner, set()).add(part)
    for slo in members:
        seen: set[int] = set()
        open_ = {slo.sli_id}
        while open_:
            seen |= open_
            open_ = {part for one in open_ for part in parts.get(one, set())} - seen
        if sli.pk in seen:
            return slo.slug
    return ""
