"""The Users API as its callers see it."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from users_api.models import Person
from users_api.services import people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOB = {"name": "Bob", "email": "bob@example.org"}

DEEP = "[" * 10_000
UNREADABLE_BODIES = {
    "truncated": "{",
    "not json": "name=Bob",
    "not a number": '{"name": NaN}',
    "nested too deeply": DEEP,
    "not utf-8": b'{"name": "\xff"}',
    "empty": " ",
}
WRONG_FIELDS: dict[str, tuple[Any, str]] = {
    "no name": ({"email": "bob@example.org"}, "name"),
    "no email": ({"name": "Bob"}, "email"),
    "blank name": ({**BOB, "name": "  \t "}, "name"),
    "name of 121 characters": ({**BOB, "name": "b" * 121}, "name"),
    "name of ten thousand characters": ({**BOB, "name": "b" * 10_000}, "name"),
    "null name": ({**BOB, "name": None}, "name"),
    "number for a name": ({**BOB, "name": 7}, "name"),
    "truth for a name": ({**BOB, "name": True}, "name"),
    "list for a name": ({**BOB, "name": ["Bob"]}, "name"),
    "null byte in a name": ({**BOB, "name": "B\0b"}, "name"),
    "half a character": ({**BOB, "name": "\ud83d"}, "name"),
    "email without at": ({**BOB, "email": "bob.example.org"}, "email"),
    "email of 300 characters": ({**BOB, "email": "b" * 290 + "@example.org"}, "email"),
    "null byte in an email": ({**BOB, "email": "bob\0@example.org"}, "email"),
    "two lines of email": ({**BOB, "email": "bob@example.org\nx"}, "email"),
    "number for an email": ({**BOB, "email": 1}, "email"),
    "unknown field": ({**BOB, "admin": True}, "admin"),
    "unknown field of half a character": ({**BOB, "\ud83d": 1}, "\\ud83d"),
    "list for a person": ([BOB], "body"),
    "text for a person": ("Bob", "body"),
    "null for a person": (None, "body"),
}
IDS_OF_NOBODY = [
    "0", "-1", "999999", "9223372036854775807", "9223372036854775808", "1" * 400, "abc", "1.5",
    "01", "%00", "٣", "1%20", "None", "1;drop", "..%2f..%2fetc", "1/more", "🙂",
]  # fmt: skip


def post(client: APIClient, body: Any) -> Any:
    """Send `body` as JSON, however odd."""
    raw = body if isinstance(body, bytes) else json.dumps(body)
    return client.post("/api/users", raw, content_type="application/json")


def test_person_lives_from_post_to_delete(client: APIClient) -> None:
    """A person is made, found at the address that was named, changed, replaced and removed."""
    made = client.post("/api/users", {"name": "  Bob  ", "email": "Bob@EXAMPLE.org"})
    assert made.status_code == 201
    assert made.json()["name"] == "Bob"
    assert made.json()["email"] == "Bob@example.org"
    address = made["Location"]
    assert address == f"/api/users/{made.json()['id']}"
    assert client.get(address).json() == made.json()

    changed = client.patch(address, {"name": "Robert"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Robert")
    assert changed.json()["email"] == "Bob@example.org"
    replaced = client.put(address, {**changed.json(), **BOB})
    assert (replaced.status_code, replaced.json()["email"]) == (200, BOB["email"])

    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete(address).status_code == 404


def test_slash_at_the_end_changes_nothing(client: APIClient) -> None:
    """A redirect would lose the body of a POST."""
    made = client.post("/api/users/", BOB)
    assert made.status_code == 201
    assert client.get(f"{made['Location']}/").json() == made.json()
    assert client.get("/api/users/").json()["results"] == [made.json()]


@pytest.mark.parametrize(
    "name", ["🙂👩‍👩‍👧", "李小龍", "O'Brien; DROP TABLE", "<b>Bob</b>", "b" * 120]
)
def test_names_are_kept_as_written(client: APIClient, name: str) -> None:
    """Any text of up to 120 characters is a name."""
    made = post(client, {**BOB, "name": name})
    assert made.status_code == 201
    assert Person.objects.get().name == name
    assert made.json()["name"] == name


@pytest.mark.parametrize(("body", "field"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_wrong_field_is_named(client: APIClient, body: Any, field: str) -> None:
    """What cannot be stored is refused by name, and nothing is stored."""
    answer = post(client, body)
    assert answer.status_code == 400, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert list(answer.json()["errors"]) == [field]
    assert not Person.objects.exists()


def test_all_wrong_fields_are_named_at_once(client: APIClient) -> None:
    """Nobody should need three tries to learn three mistakes."""
    errors = post(client, {"name": "", "email": "x", "nick": 1}).json()["errors"]
    assert set(errors) == {"name", "email", "nick"}


@pytest.mark.parametrize("body", UNREADABLE_BODIES.values(), ids=UNREADABLE_BODIES)
def test_unreadable_body_is_refused(client: APIClient, body: str | bytes) -> None:
    """What is not JSON is the sender's mistake, never an error of ours."""
    answer = client.post("/api/users", body, content_type="application/json")
    assert answer.status_code == 400, answer.content
    assert list(answer.json()["errors"]) == ["body"]


@pytest.mark.parametrize("charset", ["utf-16", "rot13", "zlib", "idna", "nonsense"])
def test_json_is_utf8_whatever_is_claimed(client: APIClient, charset: str) -> None:
    """A charset parameter cannot choose among Python's codecs."""
    kind = f"application/json; charset={charset}"
    assert client.post("/api/users", json.dumps(BOB), content_type=kind).status_code == 201


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_other_content_types_are_refused(client: APIClient, content_type: str) -> None:
    """Only JSON is read."""
    answer = client.post("/api/users", json.dumps(BOB), content_type=content_type)
    assert answer.status_code == 415


def test_large_body_is_refused(client: APIClient) -> None:
    """A person is no place to store files."""
    assert post(client, {**BOB, "name": "b" * 20_000}).status_code == 413


@pytest.mark.parametrize("given", IDS_OF_NOBODY)
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_unknown_id_is_not_found(client: APIClient, method: str, given: str) -> None:
    """Whatever stands for an id, the answer is a JSON 404."""
    body = None if method in {"get", "delete"} else BOB
    answer = getattr(client, method)(f"/api/users/{given}", body)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("put", "/api/users", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("delete", "/api/users", {"GET", "POST", "HEAD", "OPTIONS"}),
        ("post", "/api/users/1", {"GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}),
    ],
)
def test_other_methods_are_refused(
    client: APIClient, method: str, path: str, allowed: set[str]
) -> None:
    """405 says what is allowed."""
    answer = getattr(client, method)(path, BOB)
    assert answer.status_code == 405
    assert set(answer["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/api/users", "/api/users/1"])
def test_options_needs_no_database(
    client: APIClient, path: str, django_assert_num_queries: Any
) -> None:
    """OPTIONS describes the address without reading anything."""
    with django_assert_num_queries(0):
        assert client.options(path).status_code == 200


@pytest.mark.parametrize("email", ["alice@example.org", "ALICE@example.org", "alice@EXAMPLE.ORG"])
def test_email_belongs_to_one_person(client: APIClient, alice: Person, email: str) -> None:
    """A second person with the email is a conflict, whatever the case and the method."""
    bob = client.post("/api/users", BOB).json()
    answers = [
        client.post("/api/users", {"name": "Other", "email": email}),
        client.put(f"/api/users/{bob['id']}", {"name": "Bob", "email": email}),
        client.patch(f"/api/users/{bob['id']}", {"email": email}),
    ]
    for answer in answers:
        assert answer.status_code == 409
        assert list(answer.json()["errors"]) == ["email"]
    assert Person.objects.filter(name="Bob", email=BOB["email"]).count() == 1
    assert client.patch(f"/api/users/{alice.pk}", {"email": email}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_racing_posts_make_one_person(client: APIClient) -> None:
    """Eight posts of one email at the same moment: one 201, seven 409, one row."""
    start = Barrier(8)

    def send(_number: int) -> int:
        racer = APIClient(raise_request_exception=False)
        start.wait(timeout=10)
        try:
            return racer.post("/api/users", BOB).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(8)))
    assert statuses == [201] + [409] * 7
    assert Person.objects.count() == 1


def test_pages_are_walked_by_their_links(client: APIClient) -> None:
    """Every person is on exactly one page, newest first, also while new ones arrive."""
    people_made = [people.create_person(name=f"P{i}", email=f"p{i}@x.org").pk for i in range(7)]
    page = client.get("/api/users?page_size=3").json()
    people.create_person(name="Late", email="late@x.org")
    seen = [row["id"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["id"] for row in page["results"]]
    assert seen == people_made[::-1]
    assert page["previous"]


def test_search_looks_in_name_and_email(client: APIClient, alice: Person) -> None:
    """`q` finds text in either, whatever its case, and takes wildcards literally."""
    client.post("/api/users", {"name": "Bob", "email": "bob@100%.example.org"})
    client.post("/api/users", BOB)

    def names(text: str) -> list[str]:
        answer = client.get("/api/users", {"q": text})
        return [row["name"] for row in answer.json()["results"]]

    assert names("LIC") == ["Alice"]
    assert names("bob@EXAMPLE") == ["Bob"]
    assert names("%") == []
    assert len(names("")) == 2


@pytest.mark.parametrize("query", ["q=%00", f"q={'x' * 201}"])
def test_search_text_has_bounds(client: APIClient, query: str) -> None:
    """Text that no person can have is refused by field."""
    answer = client.get(f"/api/users?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["q"])


def test_strangers_are_refused_where_callers_must_be_known(
    client: APIClient, settings: Settings
) -> None:
    """Without the permission to be anonymous, nobody reads or writes without signing in."""
    settings.USERS_API_ANONYMOUS = False
    assert client.get("/api/users").status_code in {401, 403}
    assert client.post("/api/users", BOB).status_code in {401, 403}
    assert not Person.objects.exists()
