"""The lists of silences and of what was not understood filter, have pages and are exported."""

import csv
import html
import io
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import signed_in
from catalog.models import Service, Team
from incidents import integration_views, silence_views
from incidents.models import InboundEvent, Integration, Maintenance, Silence
from incidents.services.integrations import save_integration
from tests.query_counts import AssertQueries

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
NOW = datetime(2026, 3, 2, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET, INBOX = "/alerts/quiet/", "/integrations/inbox/"


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """Checkout and search, and a team's own vault that others know nothing of; the clock stands."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    them = Team.objects.create(slug="them", name="Them")
    return {
        slug: Service.objects.create(
            slug=slug, name=slug.title(), owner=them, is_private=slug == "vault"
        )
        for slug in ("checkout", "search", "vault")
    }


def silence(comment: str, service: Service | None, *, ends: timedelta = HOUR) -> Silence:
    return Silence.objects.create(
        comment=comment,
        service=service,
        matchers=[{"name": "host", "op": "=~", "value": f"{comment.lower()}-.*"}],
        starts_at=NOW - 3 * HOUR,
        ends_at=NOW + ends,
        created_by="user:alice",
    )


def integration(service: Service, kind: str = "generic") -> Integration:
    made = Integration()
    fields = {"kind": kind, "name": f"{kind} of {service.slug}", "service": service}
    save_integration(made, fields=fields, actor="test", now=NOW)
    return made


def unread(sender: Integration, problem: str) -> InboundEvent:
    return InboundEvent.objects.create(
        integration=sender,
        received_at=NOW,
        address=f"/integrations/v1/{sender.kind}/…",
        body=b"\x00rubbish",
        state=InboundEvent.State.UNPARSED,
        problem=problem,
    )


def rows(client: Client, address: str) -> list[dict[str, str]]:
    """Return the rows that a list downloads."""
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith("attachment")
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def followed(client: Client, address: str, word: str) -> list[str]:
    """Return what `word` finds on a page and on all that follow it."""
    found, page = [], client.get(address).content.decode()
    while True:
        found += re.findall(word, page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        if following is None:
            return found
        query = html.unescape(following[1])
        page = client.get(address.split("?", maxsplit=1)[0] + query).content.decode()


def test_silences_are_found_by_words_service_and_state(services: dict[str, Service]) -> None:
    silence("Disks", services["checkout"])
    silence("Cables", services["search"])
    silence("Everywhere", None)
    silence("Fans", services["checkout"], ends=-HOUR)
    client = signed_in(Role.VIEWER)

    def shown(query: str) -> set[str]:
        page = client.get(f"{QUIET}?{query}").content.decode()
        names = set(re.findall(r"<strong>(\w+)</strong>", page))
        assert {row["comment"] for row in rows(client, f"{QUIET}?{query}&format=csv")} == names
        return names

    assert shown("") == {"Disks", "Cables", "Everywhere"}
    assert shown("state=ended") == {"Fans"}
    assert shown("state=all") == {"Disks", "Cables", "Everywhere", "Fans"}
    assert shown("service=checkout") == {"Disks"}
    assert shown("service=checkout&state=all") == {"Disks", "Fans"}
    assert shown("q=CABLES-") == {"Cables"}
    assert shown("q=everyw") == {"Everywhere"}
    assert shown("q=nothing") == set()
    page = client.get(f"{QUIET}?q=nothing").content.decode()
    assert "No silence matches." in page
    assert "Nothing is silenced." not in page


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cables-", {"Cables"}),
        ("HOST=~cables", {"Cables"}),
        ("=~", {"Disks", "Cables"}),
        ("host", {"Disks", "Cables"}),
        ('say "grüß" \\d', {"Quoted"}),
        ("title!=", {"Quoted"}),
        ("name", set()),
        ("value", set()),
        ("op", set()),
        ('": "', set()),
        ("%", set()),
    ],
)
def test_silences_are_found_by_what_their_matchers_say(
    services: dict[str, Service], words: str, found: set[str]
) -> None:
    """By their names, operators and values, together as they are written; on the page and by the API."""
    for comment, service in (("Disks", "checkout"), ("Cables", "search")):
        silence(comment, services[service])
    quoted = silence("Quoted", services["checkout"])
    quoted.matchers = [
        {"name": "severity", "op": "=", "value": "P3"},
        {"name": "title", "op": "!=", "value": 'say "grüß" \\d'},
    ]
    quoted.save()
    Silence.objects.create(
        comment="Bare",
        service=services["checkout"],
        starts_at=NOW,
        ends_at=NOW + HOUR,
        created_by="a",
    )
    client = signed_in(Role.VIEWER)
    shown = rows(client, f"{QUIET}?{urlencode({'q': words})}&format=csv")
    assert {row["comment"] for row in shown} == found
    if '"' not in words:
        listed = client.get("/api/v1/silences/", {"search": words}).json()["results"]
        assert {row["comment"] for row in listed} == found


def test_planned_maintenance_is_found_alike(services: dict[str, Service]) -> None:
    for slug in ("checkout", "search"):
        Maintenance.objects.create(
            service=services[slug], comment=f"Patches of {slug}", starts_at=NOW, ends_at=NOW + HOUR
        )
    client = signed_in(Role.VIEWER)
    for query in ("service=search", "q=of+SEARCH"):
        page = client.get(f"{QUIET}?{query}").content.decode()
        assert "Patches of search" in page
        assert "Patches of checkout" not in page


def test_more_maintenance_than_is_shown_is_said(
    services: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence_views, "MOST_PLANNED", 2)
    for _ in range(5):
        Maintenance.objects.create(
            service=services["search"], comment="Patches", starts_at=NOW, ends_at=NOW + HOUR
        )
    page = signed_in(Role.VIEWER).get(QUIET).content.decode()
    assert page.count("Patches") == 2
    assert "3 more that begin later are not shown" in page


def test_silences_have_pages_and_all_are_exported(services: dict[str, Service]) -> None:
    for number in range(silence_views.PAGE_SIZE + 3):
        silence(f"Disk{number}", services["checkout"])
    silence("Other", services["search"])
    client = signed_in(Role.VIEWER)
    expected = sorted(f"Disk{number}" for number in range(silence_views.PAGE_SIZE + 3))
    found = followed(client, f"{QUIET}?service=checkout", r"<strong>(\w+)</strong>")
    assert sorted(found) == expected
    exported = rows(client, f"{QUIET}?service=checkout&page=2&format=csv")
    assert sorted(row["comment"] for row in exported) == expected
    assert exported[0] | {"id": "", "comment": "", "matchers": ""} == {
        "id": "",
        "state": "holds",
        "comment": "",
        "service": "checkout",
        "matchers": "",
        "starts_at": "2026-03-02T00:00:00Z",
        "ends_at": "2026-03-02T04:00:00Z",
        "is_maintenance": "False",
        "created_by": "user:alice",
    }
    assert exported[0]["matchers"] == f'host=~"{exported[0]["comment"].lower()}-.*"'


def test_what_was_not_understood_is_found_by_words_sender_and_service(
    services: dict[str, Service],
) -> None:
    unread(integration(services["checkout"]), "body: not JSON")
    unread(integration(services["search"], "sentry"), "title: missing")
    settled = unread(integration(services["search"], "datadog"), "body: empty")
    InboundEvent.objects.filter(pk=settled.pk).update(state=InboundEvent.State.SETTLED)
    client = signed_in(Role.VIEWER)

    def shown(query: str) -> set[str]:
        page = client.get(f"{INBOX}?{query}").content.decode()
        problems = set(re.findall(r'data-label="Why">([^<]+)<', page))
        assert {row["problem"] for row in rows(client, f"{INBOX}?{query}&format=csv")} == problems
        return problems

    assert shown("") == {"body: not JSON", "title: missing"}
    assert shown("q=NOT+json") == {"body: not JSON"}
    assert shown("q=sentry+of") == {"title: missing"}
    assert shown("service=search") == {"title: missing"}
    assert shown("kind=generic") == {"body: not JSON"}
    assert shown("kind=datadog") == set()
    page = client.get(f"{INBOX}?kind=datadog").content.decode()
    assert "No request matches." in page
    assert "Everything was understood." not in page


def test_the_inbox_has_pages_and_all_of_it_is_exported(services: dict[str, Service]) -> None:
    sender, other = integration(services["checkout"]), integration(services["search"])
    for number in range(integration_views.PAGE_SIZE + 3):
        unread(sender, f"=problem {number}")
    unread(other, "other")
    client = signed_in(Role.VIEWER)
    expected = sorted(str(event.pk) for event in sender.events.all())
    address = f"{INBOX}?service=checkout"
    assert sorted(followed(client, address, r"/integrations/events/(\d+)/")) == expected
    exported = rows(client, f"{address}&format=csv")
    assert sorted(row["id"] for row in exported) == expected
    newest = sender.events.latest("pk")
    assert exported[0] == {
        "id": str(newest.pk),
        "received_at": "2026-03-02T03:00:00Z",
        "state": "unparsed",
        "integration": "generic of checkout",
        "kind": "generic",
        "service": "checkout",
        "address": "/integrations/v1/generic/…",
        "content_type": "",
        "problem": f"'{newest.problem}",
        "alerts": "0",
    }
    assert client.get(f"{address}&cursor=rubbish").status_code == 400


def test_strangers_learn_nothing_of_private_services(services: dict[str, Service]) -> None:
    """Neither by a filter nor by an export; an admin sees it."""
    silence("Hidden", services["vault"])
    unread(integration(services["vault"]), "hidden problem")
    stranger, admin = signed_in(Role.RESPONDER), signed_in(Role.ADMIN)
    for address in (QUIET, INBOX):
        for query in ("service=vault", "q=hidden", "state=all"):
            page = stranger.get(f"{address}?{query}").content.decode()
            assert not re.search(r"<strong>Hidden|hidden problem|/services/vault/", page)
            assert rows(stranger, f"{address}?{query}&format=csv") == []
            assert len(rows(admin, f"{address}?{query}&format=csv")) == 1


def test_rows_and_filters_ask_nothing_more(
    services: dict[str, Service], assert_queries: AssertQueries
) -> None:
    """Twenty rows take what one takes, on the page and in the export."""
    for number in range(20):
        silence(f"Disk{number}", services["checkout"])
        unread(integration(services["search"]), f"problem {number}")
    client = signed_in(Role.VIEWER)
    client.get(QUIET)
    for address, words in ((QUIET, "disk"), (INBOX, "problem")):
        for query in (f"q={words}&service=", f"q={words}&format=csv"):
            with assert_queries(f"{address}?{query}"):
                answer = client.get(f"{address}?{query}")
                text = answer.getvalue() if answer.streaming else answer.content
            assert text.lower().count(words.encode()) >= 20
