"""A button pressed after the session ended: people sign in, are back where they were, and told so."""

import pytest
from django.core.cache import cache
from django.test import Client

from accounts.roles import Role
from accounts.tests.cast import PASSWORD, person
from tests.populated import PopulatedPortal, addresses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
UNDONE = "nothing was done"
PAGE = "/services/?search=shop"


@pytest.fixture(autouse=True)
def _no_limits_from_other_tests() -> None:
    cache.clear()


def pressed(client: Client, address: str, **headers: str) -> str:
    """Press a button of the services' page; returns the sign-in page that it leads to."""
    answer = client.post(address, headers={"Referer": f"http://testserver{PAGE}", **headers})
    return answer.headers.get("Location") or answer.headers.get("HX-Redirect") or ""


def signed_in_at(client: Client, sign_in: str) -> tuple[str, str]:
    """Sign in as alice; returns where she is then, and what she reads there."""
    following = sign_in.partition("next=")[2]
    fields = {"login": "alice", "password": PASSWORD, "next": following.replace("%3F", "?")}
    answer = client.post(sign_in, {**fields, "next": fields["next"].replace("%3D", "=")})
    page = client.get(answer["Location"])
    assert page.status_code == 200
    return answer["Location"], page.content.decode()


@pytest.mark.parametrize(
    "headers", [{}, {"HX-Request": "true", "HX-Current-URL": f"http://testserver{PAGE}"}]
)
def test_who_signs_in_again_is_back_and_told(client: Client, headers: dict[str, str]) -> None:
    """Also where HTMX sent it; told once."""
    person("alice")
    sign_in = pressed(client, "/i/7/acknowledge/", **headers)
    where, read = signed_in_at(client, sign_in)
    assert (where, UNDONE in read) == (PAGE, True)
    assert UNDONE not in client.get(PAGE).content.decode()


def test_who_only_read_is_told_nothing(client: Client) -> None:
    """Nothing was pressed, so nothing was left undone."""
    person("alice")
    sign_in = client.get(PAGE)["Location"]
    where, read = signed_in_at(client, sign_in)
    assert (where, UNDONE in read) == (PAGE, False)


def test_every_button_leads_back(client: Client, populated_portal: PopulatedPortal) -> None:
    """No address that takes a button only is where somebody arrives after signing in."""
    wrong = []
    client.force_login(populated_portal.admin)
    buttons = [
        address
        for address in addresses()
        if not address.startswith(("/api/", "/admin/")) and client.get(address).status_code == 405
    ]
    client.logout()
    for address in buttons:
        sign_in = pressed(client, address)
        if sign_in and not sign_in.endswith("?next=/services/%3Fsearch%3Dshop"):
            wrong.append((address, sign_in))
    assert wrong == []
    assert len(buttons) > 10


def test_an_address_of_a_button_has_a_page_for_people(client: Client) -> None:
    """After F5 or Enter in the address bar: what it is, and the way back."""
    client.force_login(person("alice", Role.ADMIN))
    for address, page in {
        "/i/7/note/": "/i/7",
        "/contact/rules/": "/contact/",
        "/demo/remove": "/",
    }.items():
        answer = client.get(address)
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert f'href="{page}"' in answer.content.decode()
