"""How the public addresses are asked: to be read by anybody, changed by nobody."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from statuspage.models import SubscriptionRequest
from statuspage.rendering import paths_of_documents
from statuspage.tests.world import NOON, component, incident, tell

pytestmark = [pytest.mark.django_db]
PAGES = ["", "history/", "api/v2/none.json", *paths_of_documents()]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    cache.clear()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_only_reads_refuses_to_be_written(method: str) -> None:
    """With what it allows, in the reader's own language; no token is asked of programs that have none."""
    stranger = Client(enforce_csrf_checks=True)
    for path in PAGES:
        answer = stranger.generic(method, f"/status/{path}", b"{}", content_type="application/json")
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS"), path
        assert not answer.cookies, path
        assert "Cookie" not in answer.get("Vary", ""), path
        kind = "application/problem+json" if path.startswith("api/") else "text/html"
        assert answer["Content-Type"].startswith(kind), path
        assert ("Access-Control-Allow-Origin" in answer) == path.startswith("api/"), path


def test_options_say_what_is_allowed(client: Client, django_assert_num_queries: Any) -> None:
    """Also to a browser that asks for a script of another site before a conditional read; nothing is looked up."""
    asked = {
        "Origin": "https://shop.example.org",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "if-none-match",
    }
    for path in PAGES:
        with django_assert_num_queries(0):
            answer = client.options(f"/status/{path}", headers=asked)
        assert (answer.status_code, answer.content) == (204, b""), path
        assert answer["Allow"] == "GET, HEAD, OPTIONS"
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert "If-None-Match" in answer["Access-Control-Allow-Headers"]
        assert not answer.cookies


def test_head_says_what_get_would(client: Client) -> None:
    """The same headers, and no body; a known tag is answered without either."""
    component()
    tell(incident(), "We look into it.")
    for path in ("", *paths_of_documents()):
        read = client.get(f"/status/{path}")
        head = client.head(f"/status/{path}")
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("ETag", "Cache-Control", "Content-Type", "Content-Length"):
            assert head[name] == read[name], (path, name)
        weak = f'"other", W/{read["ETag"]}'
        known = client.head(f"/status/{path}", headers={"If-None-Match": weak})
        assert (known.status_code, known["ETag"]) == (304, read["ETag"]), path
        assert known["Cache-Control"] == read["Cache-Control"]
        assert "ETag" in read["Access-Control-Expose-Headers"]


def test_what_is_not_there_is_asked_again_soon(client: Client) -> None:
    """An incident that is not public yet may be in a moment: no cache keeps that it is not there."""
    for path in ("incidents/none/", "components/none/", "api/v2/none.json"):
        assert client.get(f"/status/{path}")["Cache-Control"] == "public, max-age=30", path


@pytest.mark.both_databases
@pytest.mark.parametrize("part", ["\0", "x" * 5000, "’; DROP TABLE"])
def test_no_component_of_that_name_is_said_at_the_form(client: Client, part: str) -> None:
    """Whatever stands where a component's name belongs."""
    said = {"email": "eve@example.org", "components": [part]}
    assert client.post("/status/subscribe/", said).status_code == 422
    assert not SubscriptionRequest.objects.exists()


@pytest.mark.parametrize("path", ["subscribe/", "confirm/x/", "unsubscribe/x/"])
def test_forms_say_what_they_take(client: Client, path: str) -> None:
    """On a page without the portal's own ways, and without a cookie."""
    answer = client.put(f"/status/{path}")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")
    assert "sign in" not in answer.content.decode().lower()


def test_queries_change_nothing(client: Client) -> None:
    """Nothing that is added to an address comes back, nor does it lead to the portal's own pages."""
    read = client.get("/status/")
    asked = client.get("/status/?next=%00&<script>=1", headers={"X-Forwarded-Host": "evil.example"})
    assert (asked.status_code, asked.content) == (200, read.content)
    assert "Cookie" not in asked.get("Vary", "")


@pytest.mark.parametrize("path", ["subscribe/", "confirm/x/", "unsubscribe/x/"])
def test_what_is_too_much_is_refused_on_the_same_page(client: Client, path: str) -> None:
    """Too many fields, too many bytes, and what is no form: in the frame of the public page, without a cookie."""
    form = "application/x-www-form-urlencoded"
    bodies = [
        (b"&".join(b"components=x%d" % number for number in range(1500)), form),
        (b"email=" + b"x" * 3_000_000, form),
        (b"x" * 3_000_000, "application/json"),
        (b"--x\r\nno form", "multipart/form-data; boundary=x"),
        (b"\xff\xfe", "multipart/form-data"),
    ]
    for body, kind in bodies:
        answer = client.generic("POST", f"/status/{path}", body, content_type=kind)
        assert answer.status_code in {400, 404, 413, 422}, (kind, len(body), answer.status_code)
        assert not answer.cookies, (kind, len(body))
        assert "Cookie" not in answer.get("Vary", ""), (kind, len(body))
        assert "sign in" not in answer.content.decode().lower()
    assert not SubscriptionRequest.objects.exists()
