"""Addresses that lead nowhere answer in the language of who asks."""

import pytest
from django.db import OperationalError
from django.http import HttpRequest
from django.test import Client, RequestFactory

from core.handlers import server_error


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
