"""The pages of services and teams."""

import csv
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import seen
from catalog.models import Dependency, Service, Team
from catalog.tests.cast import person, service, team
from core import panels

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def browser(user: User) -> Client:
    """Return a signed-in browser."""
    client = Client()
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


class Links(HTMLParser):
    """The addresses of a page's links by their text or relation."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.by_rel: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note links that have a relation."""
        found = dict(attrs)
        if tag == "a" and found.get("rel") and found.get("href"):
            self.by_rel[str(found["rel"])] = str(found["href"])


def test_list_filters_by_address(charlie: User) -> None:
    """Search, tier and team are parameters; the search box of the frame calls its words q."""
    service("checkout", tier=0, owner=team("payments"))
    service("cache", tier=3)
    client = browser(charlie)
    for query in ("search=check", "q=check", "tier=0", "owner=payments"):
        page = client.get(f"/services/?{query}").content.decode()
        assert "/services/checkout/" in page, query
        assert "/services/cache/" not in page, query


def test_empty_list_says_what_would_be_there(alice: User) -> None:
    """No services at all, and none that match, are different sentences."""
    client = browser(alice)
    assert "No services yet" in client.get("/services/").content.decode()
    service("web")
    assert "No service matches" in client.get("/services/?search=zzz").content.decode()


def test_fragment_only_for_htmx(charlie: User) -> None:
    """HTMX gets the rows, everyone else the page, and caches are told."""
    service("web")
    client = browser(charlie)
    page, rows = client.get("/services/"), client.get("/services/", headers=HTMX)
    assert b"<html" in page.content
    assert b"<html" not in rows.content
    assert b"/services/web/" in rows.content
    assert "HX-Request" in page["Vary"]


def test_list_pages_by_key(charlie: User) -> None:
    """The next page begins where this one ends, and the way back leads here."""
    for number in range(60):
        service(f"s{number:02}", tier=number % 2)
    client = browser(charlie)
    first = client.get("/services/?sort=tier")
    second = client.get(Links(first.content.decode()).by_rel["next"])
    shown = [[row.slug for row in page.context["services"]] for page in (first, second)]
    assert [len(rows) for rows in shown] == [50, 10]
    assert sorted(shown[0] + shown[1]) == [f"s{number:02}" for number in range(60)]
    back = client.get(Links(second.content.decode()).by_rel["prev"])
    assert [row.slug for row in back.context["services"]] == shown[0]


@pytest.mark.parametrize("query", ["sort=colour", "cursor=rubbish"])
def test_unusable_parameter_is_refused(charlie: User, query: str) -> None:
    """An address that means nothing says so."""
    assert browser(charlie).get(f"/services/?{query}").status_code == 400


def test_list_costs_the_same_for_1_and_100_services(charlie: User) -> None:
    """The number of queries does not grow with the rows."""
    client = browser(charlie)
    hub = service("hub", owner=team("hub-team"))
    Dependency.objects.create(service=service("first"), target=hub)

    def count(address: str) -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    addresses = ("/services/", "/services/teams/")
    before = [count(address) for address in addresses]
    for number in range(100):
        row = service(f"s{number}", owner=team(f"team-{number}"))
        Dependency.objects.create(service=row, target=hub)
    assert [count(address) for address in addresses] == before


def test_export_follows_the_filters(charlie: User) -> None:
    """The download has the rows of the list, all pages of it, formulas quoted."""
    service("a", tier=0, name="=1+1")
    service("b", tier=1)
    answer = browser(charlie).get("/services/export.csv?tier=0")
    rows = list(csv.DictReader(answer.getvalue().decode().splitlines()))
    assert [(row["slug"], row["name"]) for row in rows] == [("a", "'=1+1")]


def test_service_page_shows_both_ways_and_the_reach(charlie: User) -> None:
    """What it needs, what needs it, and what stops with it further up."""
    db, orders, web = service("db"), service("orders"), service("web")
    Dependency.objects.create(service=orders, target=db)
    Dependency.objects.create(service=web, target=orders)
    page = browser(charlie).get("/services/db/")
    assert [row.slug for row in page.context["stops_with"]] == ["orders", "web"]
    assert "2 services stop with it" in page.content.decode()
    assert "/services/orders/" in page.content.decode()


def test_service_page_offers_its_slots(charlie: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Higher apps show their fragments without being imported."""
    service("web")
    monkeypatch.setitem(panels._SLOTS, "catalog.service", ["catalog:service-edit"])
    page = browser(charlie).get("/services/web/").content.decode()
    assert 'hx-get="/services/web/edit/" hx-trigger="load"' in page


def test_private_service_is_missing_to_strangers(alice: User, charlie: User) -> None:
    """Page, list and neighbours keep the secret; the team sees it."""
    vault = service("vault", owner=team("payments", alice), is_private=True)
    db = service("db")
    Dependency.objects.create(service=vault, target=db)
    stranger = browser(charlie)
    assert stranger.get("/services/vault/").status_code == 404
    for address in ("/services/", "/services/db/", "/services/teams/payments/"):
        assert "vault" not in stranger.get(address).content.decode(), address
    assert "vault" in browser(alice).get("/services/db/").content.decode()


def test_only_managers_write(charlie: User) -> None:
    """A viewer gets 403 on every page that writes, somebody unknown is sent to sign in."""
    service("web")
    team("payments")
    for address in (
        "/services/new/",
        "/services/import/",
        "/services/web/edit/",
        "/services/web/delete/",
        "/services/teams/new/",
        "/services/teams/payments/edit/",
        "/services/teams/payments/delete/",
    ):
        for call in (browser(charlie).get, browser(charlie).post):
            assert call(address).status_code == 403, address
        assert Client().get(address).status_code == 302
    assert Service.objects.exists()
    assert Team.objects.exists()


def test_service_is_created_changed_and_deleted(alice: User) -> None:
    """The whole way by forms, as a person goes it without JavaScript."""
    service("db")
    client = browser(alice)
    entered = {"slug": "web", "tier": "1", "hard": ["db"]}
    assert client.post("/services/new/", entered)["Location"] == "/services/web/"
    web = Service.objects.get(slug="web")
    assert (web.name, web.dependencies.get().is_hard) == ("web", True)
    form = client.get("/services/web/edit/").context["form"]
    assert form.initial["hard"] == ["db"]
    entered = {"name": "Web", "tier": "0", "soft": ["db"]} | seen(client, "/services/web/edit/")
    assert client.post("/services/web/edit/", entered).status_code == 302
    web.refresh_from_db()
    assert (web.name, web.tier, web.dependencies.get().is_hard) == ("Web", 0, False)
    assert client.get("/services/web/delete/").status_code == 200
    assert client.post("/services/web/delete/")["Location"] == "/services/"
    assert not Service.objects.filter(slug="web").exists()


def test_wrong_form_is_shown_again(alice: User) -> None:
    """A taken slug, a circle and a script for an address come back with 422 at their fields."""
    db, web = service("db"), service("web")
    Dependency.objects.create(service=web, target=db)
    client = browser(alice)
    taken = client.post("/services/new/", {"slug": "web", "tier": "1", "runbook_url": "data:x"})
    assert taken.status_code == 422
    assert set(taken.context["form"].errors) == {"slug", "runbook_url"}
    entered = {"name": "db", "tier": "1", "hard": ["web"]} | seen(client, "/services/db/edit/")
    circle = client.post("/services/db/edit/", entered)
    assert circle.status_code == 422
    assert "db → web → db" in circle.content.decode()


def test_team_is_created_changed_and_deleted(alice: User, charlie: User) -> None:
    """Teams too."""
    client = browser(alice)
    assert client.post("/services/teams/new/", {"slug": "payments"}).status_code == 302
    entered: dict[str, Any] = {"name": "Payments", "members": [charlie.pk]}
    entered |= seen(client, "/services/teams/payments/edit/")
    assert client.post("/services/teams/payments/edit/", entered).status_code == 302
    assert "charlie" in client.get("/services/teams/payments/").content.decode()
    again = client.post("/services/teams/new/", {"slug": "payments"})
    assert again.status_code == 422
    assert client.post("/services/teams/payments/delete/").status_code == 302
    assert not Team.objects.exists()


def test_import_previews_before_it_writes(alice: User) -> None:
    """The preview writes nothing; the same text applied does."""
    client = browser(alice)
    text = "kind: Service\nslug: web\n---\nkind: Service\nslug: db\ntier: 9\n"
    preview = client.post("/services/import/", {"yaml": text, "preview": "1"})
    assert [verdict.accepted for verdict in preview.context["verdicts"]] == [True, False]
    assert not Service.objects.exists()
    applied = client.post("/services/import/", {"yaml": text, "apply": "1"})
    assert "1 of 2 documents were carried" in applied.content.decode()
    assert Service.objects.get().slug == "web"
    upload = SimpleUploadedFile("catalog-info.yaml", b"kind: Service\nslug: up\n")
    assert b"catalog-info.yaml" in client.post("/services/import/", {"file": upload}).content
    assert client.post("/services/import/", {}).status_code == 422


def test_admin_refuses_a_circle() -> None:
    """The admin's inline rows go through the same check."""
    root = User.objects.create_superuser("root", "root@example.com", "correct horse battery")
    db, web = service("db"), service("web")
    Dependency.objects.create(service=web, target=db)
    client = browser(root)
    entered = {
        "name": "db",
        "tier": "1",
        "dependencies-TOTAL_FORMS": "1",
        "dependencies-INITIAL_FORMS": "0",
        "dependencies-0-target": web.pk,
        "dependencies-0-is_hard": "on",
        "dependencies-0-service": db.pk,
    }
    refused = client.post(f"/admin/catalog/service/{db.pk}/change/", entered)
    assert "db → web → db" in refused.content.decode()
    entered["dependencies-0-is_hard"] = ""
    assert client.post(f"/admin/catalog/service/{db.pk}/change/", entered).status_code == 302
    assert db.dependencies.get().target == web


def test_a_team_keeps_who_was_deactivated_until_they_are_taken_out(alice: User) -> None:
    """Saving a team unchanged takes nobody out; nobody who has left is offered to another team."""
    gone = person("gone")
    team("payments", alice, gone), team("other")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    page = "/services/teams/payments/edit/"
    client = browser(alice)
    form = client.get(page).context["form"]
    entered = {"name": "Payments", "description": "", "contact": "",
               "members": [row.pk for row in form.initial["members"]]} | seen(client, page)  # fmt: skip
    assert client.post(page, entered).status_code == 302
    assert set(Team.objects.get(slug="payments").members.all()) == {alice, gone}
    assert "gone" not in client.get("/services/teams/other/edit/").content.decode()
    client.post(page, entered | {"members": [alice.pk]} | seen(client, page))
    assert set(Team.objects.get(slug="payments").members.all()) == {alice}
