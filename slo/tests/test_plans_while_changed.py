"""What is made or deleted while plans are read is in none of them, and breaks none."""

from decimal import Decimal
from typing import Any

import pytest

from core.errors import NotFound
from slo.models import CompositeMember, Slo
from slo.queries import plans
from slo.services.composites import set_members
from slo.services.objectives import create_sli, create_slo
from slo.tests.world import NOON, World

pytestmark = [pytest.mark.django_db]


def test_who_was_deleted_has_no_plan() -> None:
    """Others have theirs; asked for alone it is not found."""
    world = World()
    gone, other = world.slo("latency"), world.slo("availability")
    Slo.objects.filter(pk=gone.pk).delete()
    assert set(plans.of_each([gone, other])) == {other.pk}
    with pytest.raises(NotFound):
        plans.of(gone)


def test_what_is_made_meanwhile_waits_for_the_next_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """An objective and a member of a composite, added after the first of the queries."""
    world = World()
    sli = create_sli(
        slug="journey", actor="test", now=NOON, kind="composite", service=world.service
    )
    set_members(sli, {world.slo("latency"): 1}, actor="test", now=NOON)
    whole = create_slo(
        sli=sli, slug="journey", name="j", objective=Decimal("0.9"), actor="test", now=NOON
    )
    real = plans._versions

    def meanwhile(only: Any) -> Any:
        found = real(only)
        late = world.custom("late", "0.9")
        CompositeMember.objects.create(sli=sli, slo=late, weight=1)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(plans, "_versions", meanwhile)
        before = {plan.pk: plan for plan in plans.load()}
    after = {plan.pk: plan for plan in plans.load()}
    assert [len(found[whole.pk].members) for found in (before, after)] == [1, 2]
    assert set(after) - set(before) == {Slo.objects.get(slug="late").pk}
