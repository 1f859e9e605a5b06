"""The decorators of plain views, and what is asked of the unknown."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts.access import Access, ask_to_sign_in, public, requires
from accounts.models import User
from accounts.roles import Role
from accounts.scopes import Scope
from accounts.tests.cast import person, token_of
from core.errors import Forbidden

pytestmark = pytest.mark.django_db


def named(request: HttpRequest) -> HttpResponse:
    """Answer with the caller's name."""
    return HttpResponse(str(request.user))


def asked(
    path: str = "/page/", user: User | None = None, secret: str = "", **headers: str
) -> HttpRequest:
    """Build a request by somebody."""
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    request = RequestFactory().get(path, headers=headers)
    request.user = user or AnonymousUser()
    return request


def test_views_say_whom_they_let_in() -> None:
    """The walk over the resolver reads it."""
    assert requires(Role.MANAGER)(named).access == Access(Role.MANAGER)  # type: ignore[attr-defined]
    assert requires(Role.VIEWER, scope="read")(named).access == Access(Role.VIEWER, Scope.READ)  # type: ignore[attr-defined]
    assert public("For all.")(named).access == Access(None, reason="For all.")  # type: ignore[attr-defined]


@pytest.mark.parametrize("role", list(Role))
def test_only_the_role_or_more_comes_in(role: Role) -> None:
    """Each role may do what the lesser ones may, and no more."""
    view = requires(Role.MANAGER)(named)
    request = asked(user=person(role=role))
    if role.includes(Role.MANAGER):
        assert view(request).status_code == 200
    else:
        with pytest.raises(Forbidden, match="manager"):
            view(request)


def test_the_deactivated_have_no_role() -> None:
    """A session that outlived its person opens nothing."""
    with pytest.raises(Forbidden):
        requires(Role.VIEWER)(named)(asked(user=person(is_active=False)))


def test_people_are_sent_to_sign_in_and_come_back() -> None:
    """The address they wanted is kept."""
    answer = requires(Role.VIEWER)(named)(asked("/page/?x=1"))
    assert answer.status_code == 302
    assert answer["Location"] == "/accounts/login/?next=/page/%3Fx%3D1"


def test_fragments_move_the_whole_page_to_sign_in() -> None:
    """No sign-in form appears inside a table."""
    page = "http://testserver/slo/?search=x"
    answer = requires(Role.VIEWER)(named)(asked(HX_Request="true", HX_Current_URL=page))
    assert answer["HX-Redirect"] == "/accounts/login/?next=/slo/%3Fsearch%3Dx"


@pytest.mark.parametrize("page", ["https://evil.example.org/i/7", "//evil.example.org", "", "x:y"])
def test_nobody_is_sent_to_a_page_of_somebody_else(page: str) -> None:
    """Where it is not said which page of the portal it was, it is the overview."""
    fragment = asked(HX_Request="true", HX_Current_URL=page)
    assert ask_to_sign_in(fragment)["HX-Redirect"] == "/accounts/login/?next=/"
    button = RequestFactory().post("/i/7/note/", headers={"Referer": page})
    assert ask_to_sign_in(button)["Location"] == "/accounts/login/?next=/"


@pytest.mark.parametrize(
    ("stated", "page"),
    [
        ("/oncall/pay/swaps/?x=1", "/oncall/pay/"),
        ("/contact/quiet/", "/contact/"),
        ("/i/7/note/", "/i/7"),
        ("/i/7?full=1", "/i/7%3Ffull%3D1"),
        ("//slo/", "/slo/"),
        ("/nowhere/at/all/", "/"),
    ],
)
def test_a_refused_form_leads_back_to_the_page_it_stands_on(stated: str, page: str) -> None:
    """Its own address takes what is sent there, and shows nothing to whoever comes from signing in."""
    button = RequestFactory().post("/x/", headers={"Referer": f"http://testserver{stated}"})
    assert ask_to_sign_in(button)["Location"] == f"/accounts/login/?next={page}"


def test_programs_get_401_with_a_challenge() -> None:
    """A program is never redirected to a form."""
    answer = requires(Role.VIEWER)(named)(asked("/sre/dashboard"))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert json.loads(answer.content)["code"] == "not_authenticated"  # type: ignore[attr-defined]


def test_token_opens_only_views_that_take_its_scope() -> None:
    """A view without a scope is for people."""
    alice = person()
    _, secret = token_of(alice, Scope.READ)
    _, ingest_only = token_of(alice, Scope.INGEST)
    open_to_tokens = requires(Role.VIEWER, scope="read")(named)
    assert open_to_tokens(asked("/sre/dashboard", secret=secret)).content == b"alice"  # type: ignore[attr-defined]
    with pytest.raises(Forbidden, match='"read"'):
        open_to_tokens(asked("/sre/dashboard", secret=ingest_only))
    assert requires(Role.VIEWER)(named)(asked(secret=secret)).status_code == 302


def test_unmarked_pages_want_a_signed_in_person(client: Client) -> None:
    """A view that says nothing is not open; programs are told so in their language."""
    assert client.get("/services/").status_code == 302
    moved = client.get("/services/", headers={"HX-Request": "true"})
    assert (moved.status_code, "HX-Redirect" in moved) == (200, True)
