"""Every form of every page takes rubbish without failing: it says what is wrong, or does as told."""

import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import transaction
from django.test import Client
from django.test.html import Element, parse_html

from core.templatetags.portal import icon
from incidents.models import Integration
from tests.populated import PopulatedPortal, addresses

pytestmark = pytest.mark.long

RUBBISH = [
    "", "x", "-1", "0", "9" * 25, "1e999", "NaN", "2026-02-30", "9999-12-31T23:59", "0001-01-01T00:00",
    "a\0b", "😀", "a" * 5000, "<script>x</script>", "%s", "FREQ=SECONDLY", "(((", "[]", "null", "true",
    "Europe/Nowhere", "http://localhost:1/", "1.5", "٣", "a\nb", " ", "100", "1", "users-api", "P0", "25:00",
]  # fmt: skip
# They end the session, change its password, or belong to packages that have tests of their own.
LEFT_OUT = ("/accounts/", "/admin/logout/", "/admin/password_change/", "/api/")
# `make fuzz` sends many to each form, others each time; all other runs the same one.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


@dataclass(frozen=True)
class Form:
    """One form of a page: where it goes, how, and what it asks for with what is filled in."""

    action: str
    is_post: bool
    fields: tuple[tuple[str, str], ...]


def elements(root: Element, *names: str) -> Iterator[tuple[Element, dict[str, str]]]:
    for child in root.children:
        if isinstance(child, Element):
            if child.name in names:
                yield child, {name: value or "" for name, value in child.attributes}
            yield from elements(child, *names)


def value_of(field: Element, attributes: dict[str, str]) -> str:
    if field.name == "select":
        options = [of.get("value", "") for _, of in elements(field, "option")]
        return options[-1] if options else ""
    if field.name == "textarea":
        return "".join(map(str, field.children))
    return attributes.get("value", "")


def forms(page: str, html: str) -> Iterator[Form]:
    for form, attributes in elements(parse_html(html), "form"):
        fields = [
            (of["name"], value_of(field, of))
            for field, of in elements(form, "input", "select", "textarea", "button")
            if of.get("name")
        ]
        action = (attributes.get("action") or page).split("#")[0]
        yield Form(action, attributes.get("method", "").lower() == "post", tuple(fields))


def kind(form: Form) -> str:
    return re.sub(r"\d+", "N", form.action.split("?")[0]) + str(form.is_post)


def filled(form: Form, chance: random.Random) -> dict[str, list[str]]:
    """Return what somebody sends who knows little: some of it as it was, some rubbish, some left out."""
    share = chance.choice([0.2, 0.8])
    sent: dict[str, list[str]] = {}
    for name, value in form.fields:
        if chance.random() < 0.05:
            continue
        is_rubbish = chance.random() < share
        sent.setdefault(name, []).append(chance.choice(RUBBISH) if is_rubbish else value)
    return sent


def test_no_form_fails(client: Client, populated_portal: PopulatedPortal) -> None:
    client.force_login(populated_portal.admin)
    found: dict[str, Form] = {}
    for page in addresses():
        if page.startswith(LEFT_OUT):
            continue
        answer = client.get(page)
        if answer.status_code == 200 and "text/html" in answer.headers.get("Content-Type", ""):
            for form in forms(page, answer.content.decode()):
                if form.action.startswith("/") and not form.action.startswith(LEFT_OUT):
                    found.setdefault(kind(form), form)
    assert len(found) > 100
    chance = random.Random(None if EXAMPLES else 1)
    for form in list(found.values()) * (EXAMPLES or 1):
        sent = filled(form, chance)
        with transaction.atomic():
            answer = (
                client.post(form.action, sent) if form.is_post else client.get(form.action, sent)
            )
            assert answer.status_code < 500, (form.action, sent)
            transaction.set_rollback(True)


@pytest.mark.both_databases
def test_what_cannot_be_is_said_in_words(client: Client, populated_portal: PopulatedPortal) -> None:
    """Found by rubbish sent to a running portal; each of them was a failure of the server's."""
    client.force_login(populated_portal.admin)
    for kept in (
        client.delete("/api/v1/services/users-api/"),
        client.post("/services/users-api/delete/"),
    ):
        assert kept.status_code == 409
        assert "still used by 4 SLOs" in kept.content.decode()
    for row in ("many", "9" * 5000, "²", "-1"):
        strange = {"action": "delete_selected", "_selected_action": ["1", row]}
        assert client.post("/admin/slo/slo/", strange).status_code == 400
    never = dict.fromkeys(("minute", "hour", "day_of_month", "month_of_year", "day_of_week"), "-1")
    wrong = client.post("/admin/django_celery_beat/crontabschedule/add/", never)
    assert "minute" in wrong.context["adminform"].form.errors
    unread = {"name": "x", "task": "slo.pull", "args": "{}", "kwargs": "[]", "headers": "["}
    wrong = client.post("/admin/django_celery_beat/periodictask/add/", unread)
    assert {"args", "kwargs", "headers"} <= wrong.context["adminform"].form.errors.keys()
    page = f"/admin/incidents/integration/{Integration.objects.latest('pk').pk}/change/"
    wrong = client.post(page, {"name": "x", "severity_map": '{"bad": "P9"}', "mapping": "[]"})
    assert {"severity_map", "mapping"} <= wrong.context["adminform"].form.errors.keys()
    many = {"levels-TOTAL_FORMS": "9" * 25, "levels-INITIAL_FORMS": "0", "slug": "x", "name": "x"}
    assert client.post("/admin/oncall/escalationpolicy/add/", many).status_code == 400
    shown = client.post("/oncall/policies/new/", many).content.decode()
    assert 9 < len(set(re.findall(r'name="(levels-\d+)-', shown))) <= 31
    nobody = {"name": "x", "members": ["9" * 25]}
    for form in ("/services/teams/team-0/edit/", "/admin/catalog/team/add/"):
        assert client.post(form, nobody).status_code in {200, 400, 422}
    nothing = client.post("/services/import/", {"yaml": "null"})
    assert "no document" in nothing.content.decode()
    assert client.get("/slo/?search=a%00b").status_code == 400


def test_every_icon_of_the_templates_exists() -> None:
    """Some are drawn only when something is wrong, where a missing one would be a failure more."""
    texts = [path.read_text() for path in Path("templates").rglob("*.html")]
    named = {
        name for text in texts for name in re.findall(r'(?:{% icon |icon_name=)"([^"]+)"', text)
    }
    assert len(named) > 30
    for name in named:
        assert "<svg" in icon(name)
