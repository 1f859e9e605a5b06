"""Two people edit at once, or by different pages: who is called never changes back unseen."""

from collections.abc import Callable
from datetime import time

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import person, signed_in
from catalog.models import Service
from oncall.models import EscalationPolicy, Layer, LayerMember, LevelTarget, Schedule, ServicePolicy
from oncall.tests.test_editors import LAYER, MONDAY, shown

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SCHEDULE, POLICY = "/oncall/payments/edit/", "/oncall/policies/standard/edit/"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    """A manager's, of a portal with a schedule of two layers and a policy that calls it."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: MONDAY)
    for name in ("alice", "bob", "carol"):
        person(name)
    client = signed_in(Role.MANAGER)
    client.post("/oncall/new/", LAYER)
    Service.objects.create(slug="checkout", name="Checkout")
    data = shown(client, "/oncall/policies/new/") | {
        "slug": "standard", "name": "Standard", "called_for": ["checkout"],
        "levels-0-name": "On call", "levels-0-targets": ["schedule:payments"],
    }  # fmt: skip
    assert client.post("/oncall/policies/new/", data).status_code == 302
    return client


def replace_in_layer() -> None:
    LayerMember.objects.filter(person__username="bob").update(person=person("dave"))


def move_handover() -> None:
    Layer.objects.filter(name="Weekly").update(handover_at=time(8))


def replace_target() -> None:
    LevelTarget.objects.all().delete()
    level = EscalationPolicy.objects.get().levels.get()
    LevelTarget.objects.create(level=level, person=person("dave"))


def call_by_another_policy() -> None:
    other = EscalationPolicy.objects.create(slug="other", name="Other")
    ServicePolicy.objects.update(policy=other)


@pytest.mark.parametrize(
    ("page", "change"),
    [
        (SCHEDULE, replace_in_layer),
        (SCHEDULE, move_handover),
        (POLICY, replace_target),
        (POLICY, call_by_another_policy),
    ],
)
def test_what_was_changed_elsewhere_stays(
    client: Client, page: str, change: Callable[[], None]
) -> None:
    old = shown(client, page) | {"description": "typed"}
    change()
    new = shown(client, page)
    answer = client.post(page, old)
    assert answer.status_code == 422
    assert "Somebody changed it after you opened this page" in answer.content.decode()
    assert shown(client, page) == new
    insisted = old | {"as_of": answer.context["form"]["as_of"].value()}
    assert client.post(page, insisted).status_code == 302


@pytest.mark.parametrize("count", ["-1", "0", "99999999", "x", ""])
@pytest.mark.parametrize("name", ["TOTAL_FORMS", "INITIAL_FORMS"])
@pytest.mark.parametrize(("page", "rows"), [(SCHEDULE, "layers"), (POLICY, "levels")])
def test_a_wrong_count_removes_nothing(
    client: Client, page: str, rows: str, name: str, count: str
) -> None:
    data = shown(client, page) | {f"{rows}-{name}": count}
    assert client.post(page, data).status_code == 422
    assert Layer.objects.count() == 2
    assert EscalationPolicy.objects.get().levels.count() == 1


def test_a_row_left_out_is_not_removed(client: Client) -> None:
    """Whoever says that there were none has not seen them."""
    data = shown(client, SCHEDULE)
    none = data | {"layers-TOTAL_FORMS": "0", "layers-INITIAL_FORMS": "0"}
    assert client.post(SCHEDULE, none).status_code == 422
    assert Schedule.objects.get().layers.count() == 2


@pytest.mark.parametrize("page", [SCHEDULE, POLICY])
def test_where_rows_were_removed_only_one_thing_is_said(client: Client, page: str) -> None:
    """To open the page again: saving again, as after other changes, would not help."""
    old = shown(client, page)
    Layer.objects.filter(name="Weekly").delete()
    EscalationPolicy.objects.get().levels.all().delete()
    said = client.post(page, old).content.decode()
    assert "Rows were added or removed after you opened this page" in said
    assert "saving again replaces it" not in said
