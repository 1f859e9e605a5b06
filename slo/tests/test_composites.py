"""Composites by API and admin: what they are made of, and what they cannot be made of."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from core.models import AuditEntry
from slo.models import CompositeMember, Sli, Slo
from slo.queries import plans
from slo.tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    """Return the Users API with its four SLOs."""
    return World()


def signed_in(role: Role) -> Client:
    name = f"the-{role.label.lower()}"
    client = Client()
    client.force_login(User.objects.filter(username=name).first() or person(name, role))
    return client


def send(method: str, path: str, body: Any, *, status: int) -> Any:
    call = getattr(signed_in(Role.MANAGER), method)
    answer = call(f"/api/v1/{path}", body, content_type="application/json")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def journey(world: World, members: list[dict[str, Any]], *, status: int = 201) -> Any:
    body = {"slug": "journey", "service": world.service.slug, "kind": "composite"}
    return send("post", "slis/", body | {"members": members}, status=status)


def members() -> dict[str, int]:
    """Return the weights of the composite by objective."""
    return dict(CompositeMember.objects.values_list("slo__slug", "weight"))


def test_a_composite_is_made_changed_and_audited(world: World) -> None:
    """Weights are 1 unless said; another list replaces the first one."""
    two: list[dict[str, Any]] = [
        {"slo": "users-api-availability", "weight": 3},
        {"slo": "users-api-latency"},
    ]
    made = journey(world, two)
    assert made["members"] == [
        {"slo": "users-api-availability", "weight": 3},
        {"slo": "users-api-latency", "weight": 1},
    ]
    one = [{"slo": "users-api-latency", "weight": 2}]
    send("patch", "slis/journey/", {"members": one}, status=200)
    assert members() == {"users-api-latency": 2}
    send("patch", "slis/journey/", {"description": "Signing up"}, status=200)
    assert members() == {"users-api-latency": 2}
    acts = AuditEntry.objects.filter(act="sli.members_changed")
    assert acts.count() == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "1 to 100"),
        ([{"slo": "nobody"}], "nobody"),
        ([{"slo": "users-api-latency", "weight": 0}], "weight"),
        ([{"slo": "users-api-latency", "weight": 2**31}], "weight"),
        ([{"slo": "users-api-latency"}, {"slo": "users-api-latency"}], "once"),
        ([{"slo": "users-api-latency", "heavy": 1}], "heavy"),
        ("users-api-latency", "list"),
    ],
    ids=["none", "unknown", "weightless", "too heavy", "twice", "unknown field", "text"],
)
def test_what_is_no_composite_is_refused_under_members(world: World, given: Any, said: str) -> None:
    """Nothing is made, and the answer names the field."""
    problem = journey(world, given, status=400)
    assert "members" in str(problem["errors"])
    assert said in str(problem["errors"])
    assert not Sli.objects.filter(slug="journey").exists()


def test_a_composite_is_not_made_of_itself(world: World) -> None:
    """Neither directly nor by way of another one."""
    journey(world, [{"slo": "users-api-latency"}])
    slo = {"slug": "journey", "name": "Journey", "sli": "journey", "objective": "0.99"}
    send("post", "slos/", slo, status=201)
    outer = {"slug": "outer", "service": world.service.slug, "kind": "composite"}
    send("post", "slis/", outer | {"members": [{"slo": "journey"}]}, status=201)
    send("post", "slos/", slo | {"slug": "outer", "sli": "outer"}, status=201)
    for slug in ("journey", "outer"):
        said = send("patch", "slis/journey/", {"members": [{"slo": slug}]}, status=400)
        assert "itself" in str(said["errors"])
    assert set(members()) == {"users-api-latency", "journey"}


def test_only_composites_have_members(world: World) -> None:
    """A member of anything else would count for nothing."""
    body = {"members": [{"slo": "users-api-latency"}]}
    said = send("patch", "slis/users-api-availability/", body, status=400)
    assert "members" in str(said["errors"])


def test_a_member_is_whole_also_in_a_part_of_a_change(world: World) -> None:
    """A change of the list alone names each objective."""
    journey(world, [{"slo": "users-api-latency"}])
    said = send("patch", "slis/journey/", {"members": [{"weight": 2}]}, status=400)
    assert "slo" in str(said["errors"])


def test_an_objective_that_a_composite_needs_stays(world: World) -> None:
    """It is refused with the composite's name, instead of breaking it."""
    journey(world, [{"slo": "users-api-latency"}])
    said = send("delete", "slos/users-api-latency/", None, status=409)
    assert "journey" in str(said)
    assert Slo.objects.filter(slug="users-api-latency").exists()


def form(world: World, *rows: tuple[int, int]) -> dict[str, Any]:
    """Return the admin's form of a composite."""
    sli = Sli(slug="journey", service=world.service, kind="composite")
    names = [field.name for field in Sli._meta.fields if field.editable]
    values = {name: getattr(sli, name) for name in names if getattr(sli, name) is not None}
    values |= {"service": world.service.pk, "excluded_statuses": "[]"}
    lists = {f"members-{n}-{name}": value for n, row in enumerate(rows) for name, value in zip(
        ("slo", "weight"), row, strict=True
    )}  # fmt: skip
    return values | lists | {"members-TOTAL_FORMS": len(rows), "members-INITIAL_FORMS": 0}


def test_the_admin_makes_a_composite_and_says_what_is_wrong(world: World) -> None:
    """An administrator's form goes through the same rules."""
    admin = signed_in(Role.ADMIN)
    latency = Slo.objects.get(slug="users-api-latency").pk
    wrong = admin.post("/admin/slo/sli/add/", form(world))
    assert wrong.status_code == 200
    assert "1 to 100 objectives" in wrong.content.decode()
    right = admin.post("/admin/slo/sli/add/", form(world, (latency, 4)))
    assert right.status_code == 302, right.content.decode()
    assert members() == {"users-api-latency": 4}


def test_the_plan_of_one_is_that_of_all_without_the_others(world: World) -> None:
    """A composite brings its members and theirs along, anything else nothing."""
    journey(world, [{"slo": "users-api-availability", "weight": 3}, {"slo": "users-api-latency"}])
    objective_of("journey")
    body = {"slug": "whole", "service": world.service.slug, "kind": "composite"}
    nested = [{"slo": "journey"}, {"slo": "users-api-freshness", "weight": 2}]
    send("post", "slis/", body | {"members": nested}, status=201)
    objective_of("whole")
    together = {plan.pk: plan for plan in plans.load(disabled=True)}
    read = {slo.slug: {slo.pk} for slo in Slo.objects.exclude(sli__kind="composite")}
    read["journey"] = read["users-api-availability"] | read["users-api-latency"]
    read["whole"] = read["journey"] | read["users-api-freshness"]
    for slo in Slo.objects.all():
        assert plans.of(slo) == together[slo.pk]
        with CaptureQueriesContext(connection) as captured:
            plans.of(slo)
        (asked,) = (q["sql"] for q in captured if 'FROM "slo_slo" ' in q["sql"])
        named = asked.rpartition('"slo_slo"."id" IN (')[2].partition(")")[0]
        composites = set(Slo.objects.filter(sli__kind="composite").values_list("pk", flat=True))
        assert {int(each) for each in named.split(",")} - composites == read[slo.slug] - composites


def objective_of(sli: str) -> None:
    """Give a composite an objective of the same name."""
    body = {"slug": sli, "name": sli, "sli": sli, "objective": "0.99", "window_days": 28}
    send("post", "slos/", body, status=201)
