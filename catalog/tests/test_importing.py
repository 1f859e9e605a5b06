"""Importing YAML: Backstage's documents and our own."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.roles import Role
from catalog.models import Dependency, Service, Team
from catalog.services.importing import Verdict, import_sources
from catalog.tests.cast import person, service, team
from core.yaml_files import SourceFile, files_at

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)

SHOP = """\
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: payments
  description: Takes the money
spec:
  type: team
  profile:
    displayName: Payments
    email: payments@example.com
  children: []
  members: [alice]
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata:
  name: bob
spec:
  profile:
    email: bob@example.com
  memberOf: [payments]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: checkout
  title: Checkout
  description: Turns carts into orders
  labels:
    tier: tier-1
    example.com/cost-centre: "42"
  annotations:
    github.com/project-slug: example/checkout
    backstage.io/source-location: url:https://git.example.com/shop/checkout/
    backstage.io/techdocs-ref: dir:.
    aws.amazon.com/amazon-ecs-service-arn: arn:aws:ecs:eu-west-1:123456789012:service/prod/checkout
    amazonaws.com/arn: arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/co/50dc6
  tags: [java]
  links:
    - url: https://wiki.example.com/runbooks/checkout
      title: Runbook
    - url: https://grafana.example.com/d/1
      title: Dashboard
spec:
  type: service
  lifecycle: production
  owner: group:default/payments
  system: shop
  dependsOn:
    - resource:default/orders-db
  consumesApis: [prices]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: pricing
spec:
  type: service
  lifecycle: production
  owner: payments
  providesApis: [prices]
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata:
  name: orders-db
  annotations:
    sreportal.io/rds-instance: orders
spec:
  type: database
  owner: user:alice
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata:
  name: prices
spec:
  type: openapi
  lifecycle: production
  owner: payments
  definition: "{}"
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata:
  name: shop
spec:
  owner: payments
---
apiVersion: backstage.io/v1alpha1
kind: Domain
metadata:
  name: retail
spec:
  owner: payments
"""


def run(text: str, **options: Any) -> list[Verdict]:
    """Import one text."""
    return import_sources([SourceFile("shop.yaml", text)], now=NOW, **options)


def entity(kind: str, name: str, **spec: Any) -> str:
    """Return one Backstage document."""
    spec = {"owner": "payments", **spec}
    head = {"apiVersion": "backstage.io/v1alpha1", "kind": kind}
    return f"---\n{json.dumps({**head, 'metadata': {'name': name}, 'spec': spec})}\n"


def test_backstage_entities_become_teams_and_services() -> None:
    """Owner, tier, links, AWS identifiers and dependencies arrive where they belong."""
    alice, bob = person("alice"), person("bob")
    verdicts = run(SHOP)
    assert [verdict.errors for verdict in verdicts] == [[]] * 8
    assert all(verdict.accepted for verdict in verdicts)
    payments = Team.objects.get()
    assert (payments.name, payments.contact) == ("Payments", "payments@example.com")
    assert set(payments.members.all()) == {alice, bob}
    checkout = Service.objects.get(slug="checkout")
    assert (checkout.name, checkout.tier, checkout.owner) == ("Checkout", 1, payments)
    assert checkout.repository_url == "https://git.example.com/shop/checkout/"
    assert checkout.runbook_url == "https://wiki.example.com/runbooks/checkout"
    assert (checkout.aws_region, checkout.ecs_cluster, checkout.ecs_service) == (
        "eu-west-1",
        "prod",
        "checkout",
    )
    assert checkout.load_balancer == "app/co/50dc6"
    assert (checkout.kind, checkout.lifecycle, checkout.system) == ("service", "production", "shop")
    links = {link.target.slug: link.is_hard for link in checkout.dependencies.all()}
    assert links == {"orders-db": True, "pricing": False}
    assert Service.objects.get(slug="orders-db").rds_instance == "orders"


def test_what_is_not_carried_is_listed() -> None:
    """Nothing gets lost in silence."""
    person("alice")
    person("bob")
    by_slug = {verdict.slug: verdict for verdict in run(SHOP)}
    assert by_slug["checkout"].lost == [
        "metadata.labels[example.com/cost-centre]",
        "metadata.annotations[backstage.io/techdocs-ref]",
        "metadata.tags",
        "metadata.links[1]",
    ]
    assert by_slug["payments"].lost == ["spec.type", "spec.children"]
    assert by_slug["orders-db"].lost == ["spec.owner"]
    assert "A team owns a service" in by_slug["orders-db"].warnings[0]["message"]


def test_second_import_changes_nothing() -> None:
    """The same file again leaves every row as it was and says so."""
    person("alice")
    person("bob")
    first = run(SHOP)
    assert {verdict.action for verdict in first if verdict.slug} == {"created"}
    before = list(Service.objects.order_by("pk").values())
    assert {verdict.action for verdict in run(SHOP)} == {"unchanged"}
    assert list(Service.objects.order_by("pk").values()) == before


def test_dry_run_writes_nothing_and_says_the_same() -> None:
    """The verdicts of a dry run are those of the import that follows."""
    dry = run(SHOP, dry_run=True)
    assert not Service.objects.exists()
    assert not Team.objects.exists()
    assert run(SHOP) == dry


def test_wrong_document_does_not_keep_its_neighbours_out() -> None:
    """Errors name file, document, line and path; the valid documents arrive."""
    text = (
        entity("Component", "a", type=7)
        + "---\nkind: [\n"
        + entity("Gadget", "b")
        + "---\nkind: Deployment\napiVersion: apps/v1\n"
        + "--- just text\n"
        + entity("Component", "good")
    )
    verdicts = run(text)
    assert [verdict.accepted for verdict in verdicts] == [False] * 5 + [True]
    assert [verdict.document for verdict in verdicts] == [1, 2, 3, 4, 5, 6]
    assert verdicts[0].errors == [
        {
            "path": "spec.type",
            "line": 2,
            "message": "Expected text, not a number; put it in quotes.",
        }
    ]
    assert verdicts[1].errors[0]["message"].startswith("line ")
    assert verdicts[2].errors[0]["path"] == "kind"
    assert [row.slug for row in Service.objects.all()] == ["good"]


def test_document_is_carried_whole_or_not_at_all() -> None:
    """A wrong address refuses the service, not only the field."""
    verdict = run("kind: Service\nslug: web\nrunbook_url: javascript:alert(1)\n")[0]
    assert (verdict.accepted, verdict.action) == (False, "refused")
    assert verdict.errors == [
        {"path": "runbook_url", "line": 3, "message": "Use an address with http or https."}
    ]
    assert not Service.objects.exists()


def test_document_that_closes_a_circle_is_refused_with_its_path() -> None:
    """The circle is spelt out, the other documents are carried."""
    text = (
        entity("Component", "a", dependsOn=["component:b"])
        + entity("Component", "b", dependsOn=["component:c"])
        + entity("Component", "c", dependsOn=["component:a"])
    )
    a, b, c = run(text)
    assert (a.accepted, b.accepted, c.accepted) == (True, True, False)
    assert c.errors[0]["path"] == "spec.dependsOn"
    assert "c → a → b → c" in c.errors[0]["message"]
    assert b.lost == ["spec.dependsOn[0]"]
    assert sorted(Service.objects.values_list("slug", flat=True)) == ["a", "b"]


def test_same_slug_twice_is_refused_the_second_time() -> None:
    """Component and resource of one name cannot both be the service."""
    first, second = run(entity("Component", "orders") + entity("Resource", "orders"))
    assert (first.accepted, second.accepted) == (True, False)
    assert "document 1 of shop.yaml" in second.errors[0]["message"]


def test_names_that_are_no_slugs_are_carried_as_one() -> None:
    """Capitals, dots and namespaces are spelt so that references still meet."""
    text = entity("Component", "Web.App_v2", dependsOn=["component:billing/API"]) + (
        "---\napiVersion: backstage.io/v1alpha1\nkind: Component\n"
        "metadata: {name: API, namespace: billing}\nspec: {type: service, owner: x}\n"
    )
    verdicts = run(text)
    assert [verdict.slug for verdict in verdicts] == ["web-app-v2", "billing-api"]
    assert Dependency.objects.get().target.slug == "billing-api"


def test_unknown_owner_is_made_and_said() -> None:
    """Owners often live in another directory than the component: a bare team is made."""
    verdict = run(entity("Component", "web"))[0]
    assert Service.objects.get().owner == Team.objects.get(slug="payments")
    assert verdict.warnings[0]["path"] == "spec.owner"


def test_missing_target_keeps_present_dependencies() -> None:
    """While something stated cannot be found, nothing is dropped."""
    web, cache = service("web"), service("cache")
    Dependency.objects.create(service=web, target=cache)
    verdict = run(entity("Component", "web", dependsOn=["component:gone"]))[0]
    assert verdict.lost == ["spec.dependsOn[0]"]
    assert web.dependencies.get().target == cache
    run(entity("Component", "web", dependsOn=[]))
    assert not web.dependencies.exists()


def test_missing_account_keeps_present_members() -> None:
    """A list of members drops nobody while somebody on it has no account yet."""
    alice, bob = person("alice"), person("bob")
    payments = team("payments", alice)
    head = "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {name: payments}\nspec:\n"
    verdict = run(f"{head}  members: [bob, nobody]\n")[0]
    assert verdict.lost == ["spec.members[1]"]
    assert set(payments.members.all()) == {alice, bob}
    run(f"{head}  members: [bob]\n")
    assert set(payments.members.all()) == {bob}


def test_dependency_of_is_read_backwards() -> None:
    """`dependencyOf` makes the other service depend on this one, in the import or not."""
    service("outside")
    run(
        entity("Resource", "db", dependencyOf=["component:web", "component:outside"])
        + entity("Component", "web", dependsOn=[])
    )
    assert sorted(link.service.slug for link in Dependency.objects.all()) == ["outside", "web"]


def test_own_format_carries_every_field() -> None:
    """The portal's own documents use the names of the API."""
    text = """\
kind: Team
slug: payments
contact: "#payments"
---
kind: Service
slug: cache
type: database
---
kind: Service
slug: web
name: Web
tier: 0
owner: payments
is_private: true
dependencies: [{slug: cache, is_hard: false}]
"""
    assert [verdict.errors for verdict in run(text)] == [[]] * 3
    web = Service.objects.get(slug="web")
    assert (web.tier, web.is_private, web.dependencies.get().is_hard) == (0, True, False)
    assert Service.objects.get(slug="cache").kind == "database"


def test_own_format_is_strict() -> None:
    """Unknown fields, wrong types and missing references are all named at once."""
    text = "kind: Service\nslug: web\ncolour: red\ntier: high\nis_private: maybe\nname: no\n"
    assert {error["path"] for error in run(text)[0].errors} == {
        "colour",
        "tier",
        "is_private",
        "name",
    }
    missing = run("kind: Service\nslug: web\nowner: nobody\n")[0]
    assert missing.errors[0] == {"path": "owner", "line": 3, "message": "There is no team nobody."}


def test_private_service_of_others_is_not_touched() -> None:
    """A manager who may not know of a service cannot change it by importing its slug."""
    service("vault", owner=team("security"), is_private=True, tier=0)
    bob = person("bob", Role.MANAGER)
    verdict = run("kind: Service\nslug: vault\ntier: 3\n", actor=bob)[0]
    assert not verdict.accepted
    assert Service.objects.get().tier == 0


def test_location_follows_files_below_the_folder(tmp_path: Path) -> None:
    """Relative targets are read; escapes, missing files and loops are not followed."""
    inside = tmp_path / "catalog"
    (inside / "web").mkdir(parents=True)
    (tmp_path / "secret.yaml").write_text(entity("Component", "secret"))
    (inside / "web" / "catalog-info.yaml").write_text(
        entity("Component", "web") + "---\napiVersion: backstage.io/v1alpha1\nkind: Location\n"
        "metadata: {name: back}\nspec: {target: ../all.yaml}\n"
    )
    location = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: l}\nspec:\n"
    (inside / "all.yaml").write_text(
        f"{location}  targets: [./web/catalog-info.yaml]\n---\n"
        f"{location}  targets: [../secret.yaml]\n---\n"
        f"{location}  targets: [https://example.com/catalog-info.yaml]\n---\n"
        f"{location}  target: ./missing.yaml\n"
    )
    (inside / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    verdicts = import_sources(files_at([inside / "all.yaml"]), now=NOW)
    assert [verdict.accepted for verdict in verdicts] == [True, False, True, False, True, True]
    assert verdicts[2].lost == ["spec.targets"]
    assert [row.slug for row in Service.objects.all()] == ["web"]
    whole = import_sources(files_at([inside]), now=NOW)
    assert "secret" not in {verdict.slug for verdict in whole}
    assert any(
        "out of the folder" in verdict.errors[0]["message"] for verdict in whole if verdict.errors
    )


def test_command_imports_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object a document on standard output; exit 1 when one was refused."""
    path = tmp_path / "catalog-info.yaml"
    path.write_text(entity("Component", "web") + "---\nkind: Nonsense\n")
    with pytest.raises(SystemExit) as stopped:
        call_command("catalog_import", str(path), "--json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert stopped.value.code == 1
    assert [line["accepted"] for line in lines] == [True, False]
    assert set(lines[0]) >= {"file", "document", "kind", "accepted", "errors", "warnings", "lost"}
    with pytest.raises(SystemExit) as missing:
        call_command("catalog_import", str(tmp_path / "nothing"))
    assert missing.value.code == 2


def test_command_creates_a_service() -> None:
    """`service create` prints the service; a second time it exits 1, on bad usage 2."""
    team("payments")
    out = io.StringIO()
    call_command("service", "create", "web", "--tier", "1", "--team", "payments", stdout=out)
    body = json.loads(out.getvalue())
    assert (body["slug"], body["tier"], body["owner"]) == ("web", 1, "payments")
    for slug, options, status in (
        ("web", [], 1),
        ("Not Good", [], 2),
        ("import", [], 2),
        ("other", ["--team", "nobody"], 2),
    ):
        with pytest.raises(CommandError) as stopped:
            call_command("service", "create", slug, *options)
        assert stopped.value.returncode == status
