"""The REST resources `services` and `teams`."""

import csv
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from accounts.roles import Role
from catalog.models import Dependency, Service, Team
from catalog.tests.cast import person, service, team
from core.models import AuditEntry

pytestmark = pytest.mark.django_db
SERVICES = "/api/v1/services/"
TEAMS = "/api/v1/teams/"


def client_of(user: User) -> APIClient:
    """Return a signed-in client."""
    client = APIClient()
    client.force_login(user)
    return client


@pytest.fixture
def alice() -> User:
    """A manager, of the team payments."""
    return person("alice", Role.MANAGER)


@pytest.fixture
def charlie() -> User:
    """A viewer without a team."""
    return person("charlie")


def test_service_is_created_and_read_back(alice: User) -> None:
    """What is sent comes back, at the address of its slug."""
    team("payments", alice)
    service("orders")
    body = {
        "slug": "checkout",
        "name": "Checkout",
        "tier": 1,
        "owner": "payments",
        "runbook_url": "https://wiki.example.com/checkout",
        "dependencies": [{"slug": "orders", "is_hard": False}],
    }
    created = client_of(alice).post(SERVICES, body)
    assert created.status_code == 201, created.json()
    read = client_of(alice).get(f"{SERVICES}checkout/").json()
    assert read == created.json()
    assert {key: read[key] for key in body} == body
    assert client_of(alice).get(f"{SERVICES}orders/").json()["dependents"] == ["checkout"]


def test_bare_slug_is_a_hard_dependency(alice: User) -> None:
    """The short form of a dependency means a hard one."""
    service("orders")
    answer = client_of(alice).post(SERVICES, {"slug": "web", "dependencies": ["orders"]})
    assert answer.json()["dependencies"] == [{"slug": "orders", "is_hard": True}]
    assert answer.json()["name"] == "web"


def test_every_wrong_field_is_named(alice: User) -> None:
    """One answer names all that is wrong, unknown fields included."""
    body = {
        "slug": "Not A Slug",
        "tier": 4,
        "owner": "nobody",
        "runbook_url": "javascript:alert(1)",
        "repository_url": "ftp://example.com/x",
        "colour": "red",
        "dependencies": ["missing"],
        "is_private": "perhaps",
    }
    answer = client_of(alice).post(SERVICES, body)
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == (set(body) - {"dependencies"}) | {"dependencies[0]"}
    assert answer["Content-Type"] == "application/problem+json"
    assert not Service.objects.exists()


def test_taken_slug_is_a_conflict(alice: User) -> None:
    """A second service or team of the same slug answers 409 and names the field."""
    service("web")
    team("payments")
    for address, slug in ((SERVICES, "web"), (TEAMS, "payments")):
        answer = client_of(alice).post(address, {"slug": slug, "name": "Again"})
        assert answer.status_code == 409
        assert list(answer.json()["errors"]) == ["slug"]


def test_reserved_slug_is_refused(alice: User) -> None:
    """A service called like a page would have no page."""
    answer = client_of(alice).post(SERVICES, {"slug": "import"})
    assert answer.status_code == 400
    assert "slug" in answer.json()["errors"]


def test_circle_of_hard_dependencies_is_refused_with_its_path(alice: User) -> None:
    """a → b → c → a is refused and spelt out; a soft last step is fine."""
    a, b, c = service("a"), service("b"), service("c")
    Dependency.objects.create(service=a, target=b)
    Dependency.objects.create(service=b, target=c)
    answer = client_of(alice).patch(f"{SERVICES}c/", {"dependencies": ["a"]})
    assert answer.status_code == 400
    assert "c → a → b → c" in answer.json()["errors"]["dependencies"][0]
    soft = {"dependencies": [{"slug": "a", "is_hard": False}]}
    assert client_of(alice).patch(f"{SERVICES}c/", soft).status_code == 200
    own = client_of(alice).patch(f"{SERVICES}c/", {"dependencies": ["c"]})
    assert own.status_code == 400


def test_malformed_bodies(alice: User) -> None:
    """Broken JSON is 400, another type of content is 415."""
    client = client_of(alice)
    assert client.post(SERVICES, "{", content_type="application/json").status_code == 400
    assert client.post(SERVICES, "[1]", content_type="application/json").status_code == 400
    assert client.post(SERVICES, "slug=web", content_type="text/plain").status_code == 415


def test_put_and_patch_change_only_what_they_name(alice: User) -> None:
    """PATCH keeps the rest; the slug cannot be changed; DELETE removes."""
    service("web", tier=3, lifecycle="production")
    client = client_of(alice)
    assert client.patch(f"{SERVICES}web/", {"tier": 0}).json()["lifecycle"] == "production"
    put = client.put(f"{SERVICES}web/", {"slug": "web", "name": "Web", "tier": 1})
    assert (put.status_code, put.json()["name"]) == (200, "Web")
    assert list(client.patch(f"{SERVICES}web/", {"slug": "x"}).json()["errors"]) == ["slug"]
    assert client.delete(f"{SERVICES}web/").status_code == 204
    assert client.get(f"{SERVICES}web/").status_code == 404


def test_read_document_can_be_put_back(alice: User) -> None:
    """GET, edit, PUT is a round trip: read-only fields are not in the way."""
    service("orders")
    created = client_of(alice).post(SERVICES, {"slug": "web", "dependencies": ["orders"]}).json()
    answer = client_of(alice).put(f"{SERVICES}web/", created | {"tier": 0})
    assert answer.status_code == 200
    assert answer.json()["dependencies"] == created["dependencies"]


def test_private_service_is_missing_to_strangers(alice: User, charlie: User) -> None:
    """A stranger gets the bytes of a missing service, and no trace of it in links."""
    service("vault", owner=team("payments", alice), is_private=True)
    web = service("web")
    Dependency.objects.create(service=web, target=Service.objects.get(slug="vault"))
    stranger = APIClient(headers={"x-request-id": "the-same-id"})
    stranger.force_login(charlie)
    hidden, missing = (stranger.get(f"{SERVICES}{slug}/") for slug in ("vault", "nothing"))
    assert (hidden.status_code, hidden.content) == (404, missing.content)
    assert [row["slug"] for row in stranger.get(SERVICES).json()["results"]] == ["web"]
    assert stranger.get(f"{SERVICES}web/").json()["dependencies"] == []
    assert client_of(alice).get(f"{SERVICES}vault/").json()["dependents"] == ["web"]
    assert b"vault" not in b"".join(stranger.get(f"{SERVICES}?format=csv"))


@pytest.mark.parametrize("slug", ["nothing", "no.such", "%00", "%C2%84", "A B"])
def test_missing_is_a_problem_whatever_its_name(charlie: User, slug: str) -> None:
    """Anything in the place of a slug answers 404 in the form of every other error."""
    for address in (SERVICES, TEAMS):
        answer = client_of(charlie).get(f"{address}{slug}/")
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"


def test_stranger_cannot_drop_a_link_they_cannot_see(alice: User) -> None:
    """Replacing the dependencies keeps those to services the caller may not know of."""
    vault = service("vault", owner=team("payments", alice), is_private=True)
    web = service("web")
    Dependency.objects.create(service=web, target=vault)
    bob = person("bob", Role.MANAGER)
    answer = client_of(bob).patch(f"{SERVICES}web/", {"dependencies": ["vault"]})
    assert answer.status_code == 400
    assert client_of(bob).patch(f"{SERVICES}web/", {"dependencies": []}).status_code == 200
    assert web.dependencies.get().target == vault


def test_circle_through_a_private_service_does_not_name_it(alice: User) -> None:
    """The path of a refused circle keeps the secret."""
    vault = service("vault", owner=team("payments", alice), is_private=True)
    web, orders = service("web"), service("orders")
    Dependency.objects.create(service=web, target=vault)
    Dependency.objects.create(service=vault, target=orders)
    bob = person("bob", Role.MANAGER)
    answer = client_of(bob).patch(f"{SERVICES}orders/", {"dependencies": ["web"]})
    assert answer.status_code == 400
    assert b"vault" not in answer.content


def test_list_filters_searches_and_orders(charlie: User) -> None:
    """Filters combine; several tiers mean any of them."""
    payments = team("payments")
    service("a", tier=0, owner=payments, lifecycle="production", name="Card vault")
    service("b", tier=1, owner=payments)
    service("c", tier=2)
    client = client_of(charlie)

    def slugs(query: str) -> list[str]:
        return [row["slug"] for row in client.get(f"{SERVICES}?{query}").json()["results"]]

    assert slugs("tier=0&tier=2") == ["a", "c"]
    assert slugs("owner=payments&ordering=-tier") == ["b", "a"]
    assert slugs("lifecycle=Production") == ["a"]
    assert slugs("search=vault card") == ["a"]
    assert slugs("search=payments") == ["a", "b"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("tier=9", "tier"),
        ("owner=nobody", "owner"),
        ("ordering=colour", "ordering"),
        ("cursor=rubbish", "cursor"),
        ("cursor=bnVsbA", "cursor"),
        ("cursor=W1sic2x1ZyIsInBrIl0sWyJcdTAwMDAiLDFdLGZhbHNlXQ", "cursor"),
        ("search=%00", "search"),
        ("page_size=0", "page_size"),
        ("page_size=501", "page_size"),
    ],
)
def test_wrong_parameter_is_named(charlie: User, query: str, field: str) -> None:
    """A parameter that cannot be used is refused, not ignored."""
    answer = client_of(charlie).get(f"{SERVICES}?{query}")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == [field]


def test_pages_follow_each_other_without_gap(charlie: User) -> None:
    """Forwards and back again, every row is on exactly one page, equal keys included."""
    for number in range(7):
        service(f"s{number}", tier=number % 2)
    client = client_of(charlie)
    address, seen = f"{SERVICES}?page_size=3&ordering=tier", []
    previous = None
    while address:
        body = client.get(address).json()
        seen.append([row["slug"] for row in body["results"]])
        address, previous = body["next"], body["previous"]
    assert seen == [["s0", "s2", "s4"], ["s6", "s1", "s3"], ["s5"]]
    assert previous is not None
    back = client.get(previous).json()
    assert [row["slug"] for row in back["results"]] == seen[1]


def test_csv_has_every_row_and_no_formula(charlie: User) -> None:
    """The download holds all matching rows; text that looks like a formula is quoted."""
    for number in range(60):
        service(f"s{number:02}")
    Service.objects.filter(slug="s00").update(name="=HYPERLINK(1)")
    answer = client_of(charlie).get(f"{SERVICES}?format=csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(b"".join(answer).decode().splitlines()))
    assert len(rows) == 60
    assert rows[0]["name"] == "'=HYPERLINK(1)"


def test_list_costs_the_same_for_1_and_100_services(charlie: User) -> None:
    """The number of queries does not grow with the rows."""
    client = client_of(charlie)

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(f"{SERVICES}?page_size=200").status_code == 200
        return len(queries)

    service("hub", owner=team())
    Dependency.objects.create(service=service("first"), target=Service.objects.get(slug="hub"))
    before = count()
    for number in range(100):
        row = service(f"s{number}", owner=team(f"team-{number}"))
        Dependency.objects.create(service=row, target=Service.objects.get(slug="hub"))
    assert count() == before


def test_team_is_created_with_its_people(alice: User, charlie: User) -> None:
    """Members are named by user name; an unknown one is refused."""
    client = client_of(alice)
    made = client.post(TEAMS, {"slug": "payments", "name": "Payments", "members": ["charlie"]})
    assert made.status_code == 201
    assert client.get(f"{TEAMS}?member=charlie").json()["results"][0]["slug"] == "payments"
    wrong = client.patch(f"{TEAMS}payments/", {"members": ["nobody"]})
    assert wrong.status_code == 400
    assert client.patch(f"{TEAMS}payments/", {"members": []}).json()["members"] == []


def test_deleted_team_leaves_its_services(alice: User) -> None:
    """A service outlives its team, without an owner."""
    web = service("web", owner=team("payments"))
    assert client_of(alice).delete(f"{TEAMS}payments/").status_code == 204
    web.refresh_from_db()
    assert web.owner is None
    assert not Team.objects.exists()


def test_role_decides_who_writes(charlie: User) -> None:
    """Viewers and responders read; a write is 403 and changes nothing."""
    service("web")
    team("payments")
    for user in (charlie, person("rita", Role.RESPONDER)):
        client = client_of(user)
        assert client.get(SERVICES).status_code == 200
        assert client.post(SERVICES, {"slug": "new-one"}).status_code == 403
        assert client.patch(f"{SERVICES}web/", {"tier": 0}).status_code == 403
        assert client.delete(f"{SERVICES}web/").status_code == 403
        assert client.post(f"{SERVICES}import/", {"yaml": "kind: Team"}).status_code == 403
        assert client.post(TEAMS, {"slug": "new-one"}).status_code == 403
        assert client.delete(f"{TEAMS}payments/").status_code == 403
    assert Service.objects.get().tier == Service.Tier.MEDIUM


def test_every_change_is_in_the_audit(alice: User) -> None:
    """Who, what and which fields; a read or a refused write leaves no line."""
    client = client_of(alice)
    client.post(SERVICES, {"slug": "db"})
    client.post(SERVICES, {"slug": "web", "dependencies": ["db"]})
    client.patch(f"{SERVICES}web/", {"tier": 0})
    client.patch(f"{SERVICES}web/", {"tier": 0})
    client.patch(f"{SERVICES}web/", {"tier": 9})
    client.delete(f"{SERVICES}web/")
    lines = AuditEntry.objects.order_by("seq").values_list("actor", "act", "subject")
    assert list(lines) == [
        ("user:alice", "service.created", "catalog.service:db"),
        ("user:alice", "service.created", "catalog.service:web"),
        ("user:alice", "service.changed", "catalog.service:web"),
        ("user:alice", "service.deleted", "catalog.service:web"),
    ]
    assert AuditEntry.objects.get(seq=3).changes == {"tier": [2, 0]}


def test_import_answers_a_verdict_on_each_document(alice: User) -> None:
    """YAML as the body or inside JSON; a dry run writes nothing."""
    text = "kind: Service\nslug: web\n---\nkind: Service\nslug: db\ntier: 9\n"
    client = client_of(alice)
    dry = client.post(f"{SERVICES}import/?dry_run=true", {"yaml": text}).json()
    assert (dry["accepted"], dry["refused"], dry["dry_run"]) == (1, 1, True)
    assert not Service.objects.exists()
    done = client.post(f"{SERVICES}import/", text, content_type="application/yaml").json()
    assert done["documents"] == dry["documents"]
    assert done["documents"][1]["errors"] == [
        {"path": "tier", "line": 6, "message": "Use 0, 1, 2 or 3."}
    ]
    assert Service.objects.get().slug == "web"


def test_import_refuses_what_it_does_not_read(alice: User) -> None:
    """Another content type is 415, a missing field 400, too many bytes 413."""
    client, address = client_of(alice), f"{SERVICES}import/"
    assert client.post(address, "a", content_type="text/plain").status_code == 415
    assert list(client.post(address, {"text": "a"}).json()["errors"]) == ["yaml", "text"]
    for wrong in ("dry_run=perhaps", "dry_run=", "dryrun=true", "dry-run=true&dry_run=true"):
        refused = client.post(f"{address}?{wrong}", {"yaml": "kind: Team\nslug: a\n"})
        assert refused.status_code == 400, wrong
        assert wrong.partition("=")[0] in refused.json()["errors"]
    assert not Team.objects.filter(slug="a").exists()
    body = b"#" * (1024 * 1024 + 1)
    assert client.post(address, body, content_type="application/yaml").status_code == 413
    assert client.post(address, b"\xff", content_type="application/yaml").status_code == 400
    assert client.get(address).status_code == 405


def test_unsigned_caller_is_refused() -> None:
    """Nobody reads the catalog without saying who they are."""
    assert APIClient().get(SERVICES).status_code in {401, 403}


def test_times_are_utc(charlie: User) -> None:
    """Instants are ISO 8601 in UTC."""
    service("web")
    row = client_of(charlie).get(f"{SERVICES}web/").json()
    at = datetime.fromisoformat(row["created_at"])
    assert at.utcoffset() == datetime.now(UTC).utcoffset()
