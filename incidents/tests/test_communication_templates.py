"""Templates of updates: few placeholders, read once, refused where nothing fills them in."""

from itertools import product
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.roles import Role
from accounts.tests.cast import send, signed_in
from core.models import AuditEntry
from incidents.domain.communication import (
    DEFAULTS,
    PLACEHOLDERS,
    Audience,
    Kind,
    filled,
    mistakes_in,
)
from incidents.models import CommunicationTemplate

ADMIN = "/admin/incidents/communicationtemplate/"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{service} {next_update}", []),
        ("{sev} and {Service} and {sev}", ["{sev}", "{Service}"]),
        ("{} { service } {service.password}", ["{}", "{ service }", "{service.password}"]),
        ("{service", ["{"]),
        ("}} {{title}}", ["}", "{"]),
        ("No braces: 100 %s $x", []),
    ],
)
def test_what_nothing_fills_in_is_named(text: str, found: list[str]) -> None:
    assert mistakes_in(text) == found


@given(st.text(), st.dictionaries(st.sampled_from([*PLACEHOLDERS]), st.text()))
def test_values_are_never_read_as_templates(text: str, values: dict[str, str]) -> None:
    """Whatever a title says stands there as it is; without placeholders a text stays as it is."""
    whole = "{title}" + text.replace("{", "").replace("}", "")
    assert filled(whole, values) == values.get("title", "{title}") + whole.removeprefix("{title}")


def test_each_sort_has_a_built_in_template_without_mistakes() -> None:
    assert set(DEFAULTS) == set(product(Kind, Audience))
    assert [text for text in DEFAULTS.values() if mistakes_in(text)] == []


@pytest.mark.parametrize("kind", list(Kind))
def test_built_in_public_templates_say_nothing_internal(kind: Kind) -> None:
    text = DEFAULTS[kind, Audience.PUBLIC]
    assert "{title}" not in text
    assert "{severity}" not in text


TEMPLATE = {"kind": "update", "audience": "public", "name": "Ours", "text": "{service} is slow."}


@pytest.mark.django_db
def test_templates_are_kept_by_the_api() -> None:
    api = signed_in(Role.MANAGER)
    made = send(api, "post", "communication-templates/", TEMPLATE, status=201)
    where = f"communication-templates/{made['id']}/"
    refused = send(api, "patch", where, {"text": "{who} {service}"}, status=400)
    assert (
        "Nothing fills in {who}. There are: {service}, {severity}" in refused["errors"]["text"][0]
    )
    send(api, "post", "communication-templates/", TEMPLATE, status=409)
    assert send(api, "patch", where, {"name": "Slow"}, status=200)["name"] == "Slow"
    reader = signed_in(Role.VIEWER)
    assert len(send(reader, "get", "communication-templates/built-in/", status=200)) == 6
    send(signed_in(Role.RESPONDER), "delete", where, status=403)
    send(api, "delete", where, status=204)
    acts = AuditEntry.objects.filter(act__startswith="communication_template.").order_by("seq")
    assert [(entry.act.split(".")[1], entry.changes.get("name")) for entry in acts] == [
        ("created", "Ours"), ("changed", ["Ours", "Slow"]), ("deleted", None),
    ]  # fmt: skip


@pytest.fixture
def admin(db: None) -> Client:
    return signed_in(Role.MANAGER)


def test_managers_edit_templates_in_the_admin_and_see_who_did(admin: Client) -> None:
    wrong: dict[str, Any] = {**TEMPLATE, "text": "{sev}"}
    answer = admin.post(f"{ADMIN}add/", wrong)
    assert "Nothing fills in {sev}." in answer.content.decode()
    assert admin.post(f"{ADMIN}add/", TEMPLATE).status_code == 302
    row = CommunicationTemplate.objects.get()
    changed = {**TEMPLATE, "text": "{service} is slow since {since}."}
    assert admin.post(f"{ADMIN}{row.pk}/change/", changed).status_code == 302
    history = admin.get(f"{ADMIN}{row.pk}/history/").content.decode()
    assert "{service} is slow. → {service} is slow since {since}." in history
