"""Addresses that lead nowhere answer in the language of who asks."""

import sqlite3
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from core.errors import DomainError
from core.handlers import server_error
from core.middleware import DomainErrorMiddleware
from core.problems import CONTENT_TYPE, exception_handler, refusal_of


@pytest.mark.django_db
def test_program_at_a_wrong_address_gets_a_problem(client: Client) -> None:
    """Under /api/ nothing answers HTML, not even where no view is."""
    response = client.get("/api/v1/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


@pytest.mark.django_db
def test_person_at_a_wrong_address_gets_a_page(client: Client) -> None:
    """A browser shows a page that leads on."""
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("path", "content_type"), [("/api/v1/", "application/problem+json"), ("/", "text/html")]
)
def test_uncaught_error_tells_no_details(path: str, content_type: str) -> None:
    """Programs and people are told that it is our fault, and nothing of the inside."""
    request: HttpRequest = RequestFactory().get(path)
    response = server_error(request)
    assert response.status_code == 500
    assert response["Content-Type"].startswith(content_type)


@pytest.mark.parametrize(
    ("path", "content_type"), [("/api/v1/", "application/problem+json"), ("/", "text/html")]
)
def test_a_database_that_is_away_is_worth_another_try(path: str, content_type: str) -> None:
    """It answers 503 and says when to come again, wherever the query was made."""
    request: HttpRequest = RequestFactory().get(path)
    try:
        raise OperationalError("refused, password=secret")  # noqa: TRY301
    except OperationalError:
        response = server_error(request)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response["Content-Type"].startswith(content_type)
    assert b"secret" not in response.content


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["", "evil.example", "a b", "[::1"])
@pytest.mark.parametrize(
    ("path", "content_type"), [("/api/v1/slos/", "application/problem+json"), ("/", "text/html")]
)
def test_a_foreign_host_is_refused_in_the_language_of_who_asks(
    client: Client, path: str, content_type: str, host: str
) -> None:
    response = client.get(path, headers={"host": host})
    assert response.status_code == 400
    assert response["Content-Type"].startswith(content_type)


def raised_by_postgresql(state: str) -> DatabaseError:
    """Return the error that PostgreSQL's code comes as."""
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '{state}'; END $$"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return error
    raise AssertionError(state)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        ("40P01", 409, "Somebody else changed this in the same moment."),
        ("40001", 409, "Somebody else changed this in the same moment."),
        ("55P03", 503, "Somebody else is still changing this."),
        ("57014", 503, "It took the database too long."),
        ("22003", 400, "One of the values is longer, larger"),
        ("57P01", 503, "The database does not answer."),
        ("42P01", 500, "Something broke on our side."),
        ("22012", 500, "Something broke on our side."),
    ],
)
def test_a_database_is_down_only_where_it_is(state: str, status: int, words: str) -> None:
    """Programs read what to do next from it: come again, send something else, or call us."""
    answer = exception_handler(raised_by_postgresql(state), {})
    assert answer is not None
    assert answer.status_code == status
    assert answer.data["detail"].startswith(words)
    assert "secret" not in str(answer.data)
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "content_type"), [("/api/v1/", CONTENT_TYPE), ("/", "text/html")])
def test_whoever_came_second_is_told_so(path: str, content_type: str) -> None:
    """Outside of the REST framework as well: people and programs may send it again."""
    request: HttpRequest = RequestFactory().get(path)
    request.user = AnonymousUser()
    middleware = DomainErrorMiddleware(lambda _: HttpResponse())
    answer = middleware.process_exception(request, raised_by_postgresql("40P01"))
    assert answer is not None
    assert answer.status_code == 409
    assert answer["Content-Type"].startswith(content_type)
    assert b"Somebody else changed this" in answer.content


def test_a_file_that_somebody_else_writes_is_none_that_is_away(tmp_path: Path) -> None:
    """SQLite lets one write at a time."""
    one, other = (sqlite3.connect(tmp_path / "portal", timeout=0) for _ in range(2))
    one.execute("BEGIN IMMEDIATE")
    refusal: DomainError | None = None
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        said = OperationalError(*error.args)
        said.__cause__ = error
        refusal = refusal_of(said)
    for each in (one, other):
        each.close()
    assert refusal is not None
    assert (refusal.status, refusal.retry_after_s) == (503, 5)
    assert refusal.message.startswith("Somebody else is still changing this.")
