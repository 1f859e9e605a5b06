"""The frame around every page, and the pages of errors."""

import re
from http import HTTPStatus

import pytest
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.test import Client, RequestFactory, override_settings
from django.urls import include, path

from accounts.models import User
from accounts.roles import Role
from core.errors import Conflict, InvalidInput
from core.htmx import render_page

INLINE = re.compile(
    r"\sstyle=|\son\w+=|<style|hx-on|javascript:|<script(?![^>]*(?:\ssrc=|application/json))",
    re.IGNORECASE,
)


def refuse(request: HttpRequest) -> HttpResponse:
    """Refuse as a service would."""
    raise InvalidInput("The target <b>must</b> be below 100 %.", field="target")


def clash(request: HttpRequest) -> HttpResponse:
    """Refuse because of the present state."""
    raise Conflict("The alert is already resolved.")


def show(request: HttpRequest) -> HttpResponse:
    """Answer the bare frame."""
    return render_page(request, "base.html", {"demo_is_on": True})


for view in (refuse, clash, show):
    view.login_required = False  # type: ignore[attr-defined]

urlpatterns = [
    path("refuse", refuse),
    path("clash", clash),
    path("show", show),
    path("services/", show),
    path("demo/remove", show),
    path("", include("sreportal.urls")),
]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def person(*, staff: bool = False) -> User:
    """Return a stored person."""
    role = Role.ADMIN if staff else Role.VIEWER
    return User.objects.create_user("alice", "alice@example.org", role=role)


def test_frame_is_clean_under_the_strict_policy(client: Client) -> None:
    """No page has inline script, inline style or event attributes."""
    client.force_login(person())
    for address in ("/show", "/refuse", "/nowhere"):
        body = client.get(address).content.decode()
        assert not INLINE.search(body), address


def test_signed_in_frame_has_the_landmarks(client: Client) -> None:
    """Skip link, navigation, search, main region and sign-out (as POST) are on the page."""
    client.force_login(person())
    body = client.get("/show").content.decode()
    for part in ('href="#main"', '<nav id="nav"', 'role="search"', '<main id="main"'):
        assert part in body
    assert re.search(r'<form action="/accounts/logout/" method="post">', body)


def test_signed_out_frame_has_no_navigation(client: Client) -> None:
    """Whoever is not signed in sees the centred card alone."""
    body = client.get("/show").content.decode()
    assert "<nav" not in body
    assert '<body class="plain' in body


def test_navigation_lists_only_what_exists(client: Client) -> None:
    """An entry appears when its address resolves, marked when it is the page shown."""
    client.force_login(person())
    body = client.get("/services/").content.decode()
    assert re.search(r'<a href="/services/" aria-current="page"', body)
    assert 'href="/admin/"' not in body


def test_staff_see_the_admin(client: Client) -> None:
    """The admin is offered to those who may enter it."""
    client.force_login(person(staff=True))
    body = client.get("/show").content.decode()
    assert 'href="/admin/"' in body
    assert re.search(r'<form action="/demo/remove" method="post">.*Remove demo', body, re.DOTALL)


def test_only_admins_can_remove_the_demo(client: Client) -> None:
    """Everybody is told that the figures are made up; the button is the admins'."""
    client.force_login(person())
    body = client.get("/show").content.decode()
    assert "Demonstration traffic is on" in body
    assert "Remove demo" not in body


def test_refusal_says_what_and_escapes(client: Client) -> None:
    """A refusal shows its message and field, escaped, with its status and the request's id."""
    response = client.get("/refuse", headers={"X-Request-ID": "abc12345"})
    body = response.content.decode()
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "The target &lt;b&gt;must&lt;/b&gt; be below 100 %." in body
    assert "<dt>target</dt>" in body
    assert "<code>abc12345</code>" in body


def test_conflict_has_its_own_heading(client: Client) -> None:
    """A conflict reads as one, in title and heading."""
    response = client.get("/clash")
    assert response.status_code == HTTPStatus.CONFLICT
    assert response.content.decode().count("This cannot be done right now") == 2


def test_missing_page_is_friendly(client: Client) -> None:
    """An unknown address answers the portal's own 404 page, with a way on."""
    client.force_login(person())
    response = client.get("/nowhere")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert b"There is nothing here" in response.content


def test_server_error_page_needs_nothing() -> None:
    """The 500 page renders without context, database or manifest."""
    with override_settings(STORAGES={}):
        body = get_template("500.html").render()
    assert "Something broke on our side" in body
    assert not INLINE.search(body)


def test_csrf_page_renders(rf: RequestFactory) -> None:
    """The page of an expired form says that nothing was changed."""
    assert "Nothing was changed" in get_template("403_csrf.html").render({}, rf.get("/"))


def test_menu_leads_to_what_is_ones_own(client: Client) -> None:
    """Profile, tokens and sign-in security are one step away on every page."""
    client.force_login(person())
    body = client.get("/show").content.decode()
    menu = body[body.index('id="user-menu"') :]
    for address in ("/accounts/", "/accounts/tokens/", "/accounts/2fa/"):
        assert f'href="{address}"' in menu
