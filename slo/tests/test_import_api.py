"""`POST /api/v1/slos/import/`: who may import what."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Service, Team
from slo.models import Sli, Slo, Source
from slo.services import objectives
from slo.tests.test_importing import INDICATOR, OBJECTIVE, SLOTH, SOURCE
from slo.tests.world import NOON

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/slos/import/"
THREE = f"{SOURCE}---{INDICATOR}---{OBJECTIVE}"
OWN = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: shop-up}
spec:
  service: shop
  indicator:
    metadata: {name: shop-up}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: sreportal, spec: {kind: success, count: good}}}
        total: {metricSource: {type: sreportal, spec: {kind: success, count: total}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


def client_of(role: Role) -> Client:
    name = f"the-{role.label.lower()}"
    client = Client()
    client.force_login(User.objects.filter(username=name).first() or person(name, role))
    return client


def send(role: Role, text: str, query: str = "") -> Any:
    answer = client_of(role).post(f"{ADDRESS}{query}", text, content_type="application/yaml")
    assert answer.status_code == 200, answer.content
    return answer.json()


def hidden_service() -> Service:
    return Service.objects.create(
        slug="shop", name="Shop", is_private=True, owner=Team.objects.create(slug="a", name="A")
    )


def test_an_import_is_previewed_and_done() -> None:
    """A dry run says the same and stores nothing; JSON holds the same text."""
    dry = send(Role.ADMIN, THREE, "?dry_run=true")
    assert (dry["dry_run"], dry["accepted"], dry["refused"]) == (True, 3, 0)
    assert not Slo.objects.exists()
    body = json.dumps({"yaml": THREE})
    done = client_of(Role.ADMIN).post(ADDRESS, body, content_type="application/json").json()
    assert done["documents"] == dry["documents"]
    assert done["documents"][2]["slos"] == ["shop-availability"]
    assert Slo.objects.get().slug == "shop-availability"


def test_each_document_has_its_own_verdict() -> None:
    """A refused one names the field and its line; its neighbours are carried."""
    found = send(Role.MANAGER, OWN + "---" + SLOTH.replace("99.9", "100"))
    assert (found["accepted"], found["refused"]) == (1, 1)
    (error,) = found["documents"][1]["errors"]
    assert error["path"] == "slos[0].objective"
    assert error["line"] > 1
    assert Slo.objects.get().slug == "shop-up"


def test_only_administrators_add_sources() -> None:
    """The portal would ask whatever address a document names."""
    found = send(Role.MANAGER, THREE)
    assert found["accepted"] == 1
    assert "administrator" in found["documents"][0]["errors"][0]["message"]
    assert not Source.objects.exists()
    assert not Slo.objects.exists()
    Source.objects.create(slug="prom", kind="prometheus", url="http://prom.example.org")
    assert send(Role.MANAGER, THREE)["accepted"] == 3
    assert Source.objects.get().url == "http://prom.example.org"


def test_a_private_service_is_neither_changed_nor_shown() -> None:
    """To whoever may not know of it, its slugs are taken, and nothing else is said."""
    service = hidden_service()
    service.name = "Secret"
    service.save()
    sli = objectives.create_sli(
        slug="shop-up", service=service, kind=Sli.Kind.SUCCESS, actor="t", now=NOON
    )
    objectives.create_slo(
        sli=sli, slug="shop-up", name="Up", objective=sli.slice_target, actor="t", now=NOON
    )
    other = OWN.replace("service: shop", "service: other")
    for text, says in ((OWN, "service shop already"), (other, "shop-up is taken")):
        found = send(Role.MANAGER, text)
        assert found["accepted"] == 0
        assert "Secret" not in json.dumps(found)
        assert says in found["documents"][0]["errors"][0]["message"]
    assert Slo.objects.get().sli.service == service
    assert not Service.objects.filter(slug="other").exists()


def test_a_dry_run_by_another_name_is_refused() -> None:
    """What was to be tried would be done."""
    client = client_of(Role.ADMIN)
    answer = client.post(f"{ADDRESS}?dryrun=true", OWN, content_type="application/yaml")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["dryrun"])
    assert not Slo.objects.exists()


def test_a_viewer_may_not_import() -> None:
    """Not even as a dry run, which takes locks like an import."""
    client = client_of(Role.VIEWER)
    answer = client.post(f"{ADDRESS}?dry_run=true", OWN, content_type="application/yaml")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("a: b", "text/plain", 415),
        ("{}", "application/json", 400),
        ('{"yaml": "a", "other": 1}', "application/json", 400),
        (b"\xff", "application/yaml", 400),
        (b"#" * (1024 * 1024 + 1), "application/yaml", 413),
    ],
)
def test_what_is_no_import_is_refused(body: str | bytes, kind: str, status: int) -> None:
    """By its type, its fields, its encoding and its size."""
    answer = client_of(Role.ADMIN).post(ADDRESS, body, content_type=kind)
    assert answer.status_code == status
