"""Every form of the admin takes what nobody expects: it says what is wrong, or does as told."""

import os
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.db import models, transaction
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.test import Client
from django.urls import reverse

from tests.populated import PopulatedPortal
from tests.test_forms import Form, forms

pytestmark = pytest.mark.long

RUBBISH = [
    "",
    "x" * 20_000,
    "a\0b",
    "-1",
    "1" + "0" * 20,
    "2026-02-30",
    "0001-01-01",
    "99999-01-01",
]
COUNTS = ["-1", "0", "x", "1" + "0" * 11]
COUNTED = (TOTAL_FORM_COUNT, INITIAL_FORM_COUNT)
# `make fuzz` sends each value in each field; all other runs one in some of the fields.
EACH = bool(os.environ.get("FUZZ_EXAMPLES"))

Sent = dict[str, list[str]]


def pages() -> Iterator[list[str]]:
    """Return for each model the pages of the admin on which a row is changed and added."""
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        newest: models.Model = model._default_manager.latest("pk")
        yield [reverse(f"{name}_change", args=[newest.pk]), reverse(f"{name}_add")]


def form_on(client: Client, page: str) -> Form | None:
    """Return the form by which a page saves its row, if it has one."""
    answer = client.get(page)
    if answer.status_code != 200:
        return None
    found = forms(page, answer.content.decode())
    saving = (form for form in found if "_save" in dict(form.fields))
    return next(saving, None)


def as_shown(form: Form) -> Sent:
    """Return what the button that saves sends."""
    sent: Sent = {}
    for name, value in form.fields:
        if name == "_save" or not name.startswith(("_", "csrf")):
            sent.setdefault(name, []).append(value)
    return sent


def tampered(shown: Sent, *, each: bool) -> Iterator[Sent]:
    """Return what is sent: as it was shown, but for all that can be typed, a count, or a field each."""
    typed = [name for name in shown if not name.endswith(COUNTED) and name != "_save"]
    for value in RUBBISH if EACH else RUBBISH[2:3]:
        yield {**shown, **{name: [value] for name in typed}}
    for number, name in enumerate(name for name in shown if name.endswith(COUNTED)):
        yield from ({**shown, name: [value]} for value in _some(COUNTS, number))
    for number, name in enumerate((typed if EACH else typed[::5]) if each else ()):
        yield from ({**shown, name: [value]} for value in _some(RUBBISH, number))


def _some(values: list[str], number: int) -> list[str]:
    return values if EACH else [values[number % len(values)]]


def test_no_form_of_the_admin_fails(client: Client, populated_portal: PopulatedPortal) -> None:
    """Fields are tampered with one by one on the first page of a model that has a form."""
    client.force_login(populated_portal.admin)
    client.raise_request_exception = False
    seen, failed = 0, []
    for of_model in pages():
        shown_on = [(page, form_on(client, page)) for page in of_model]
        saving = [(page, as_shown(form)) for page, form in shown_on if form is not None]
        for page, shown in saving:
            for sent in tampered(shown, each=page == saving[0][0]):
                seen += 1
                with transaction.atomic():
                    answer = client.post(page, sent)
                    transaction.set_rollback(True)
                if answer.status_code >= 500:
                    odd = {name: value for name, value in sent.items() if value != shown[name]}
                    failed.append(f"{page} {odd}"[:300])
    assert failed == []
    assert seen > 150
