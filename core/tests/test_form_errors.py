"""The summary of what is wrong, at the top of a page whose forms are far down."""

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory

from core.form_errors import Mistake, mistakes_in
from core.htmx import render_page

pytestmark = pytest.mark.django_db


class Asked(forms.Form):
    """A form with a field, boxes, and a rule for both."""

    count = forms.IntegerField(label="How many")
    kinds = forms.MultipleChoiceField(
        label="Which", choices=[("a", "A")], widget=forms.CheckboxSelectMultiple
    )

    def clean(self) -> None:
        """Refuse one number altogether."""
        if self.cleaned_data.get("count") == 13:
            raise forms.ValidationError("Not today.")


def test_each_mistake_names_its_field_and_leads_there() -> None:
    """Boxes have no one field: the link leads to what is said of them."""
    form = Asked({"count": "x"})
    assert mistakes_in({"form": form, "forms": {"same": form}, "title": "x"}) == [
        Mistake("How many", "id_count", ("Enter a whole number.",)),
        Mistake("Which", "id_kinds_errors", ("This field is required.",)),
    ]


def test_rows_are_told_apart_by_their_numbers() -> None:
    """Also what is wrong with a row as a whole; forms that were not sent have no mistakes."""
    rows = forms.formset_factory(Asked)
    sent = {
        "form-TOTAL_FORMS": "2", "form-INITIAL_FORMS": "2", "form-0-count": "1", "form-0-kinds": ["a"],
        "form-1-count": "13", "form-1-kinds": ["z"],
    }  # fmt: skip
    found = mistakes_in({"unsent": Asked(), "rows": rows(sent)})
    assert [(each.field, each.target) for each in found] == [
        ("Row 2", ""),
        ("Row 2, Which", "id_form-1-kinds_errors"),
    ]


def test_a_page_says_so_in_its_title_and_first_of_all() -> None:
    """And only when it was refused."""
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    refused = render_page(request, "base.html", {"form": Asked({"count": "x"})}, status=422)
    shown = refused.content.decode()
    assert "<title>Error: " in shown
    assert '<a href="#id_count">How many</a>: Enter a whole number.' in shown
    assert "Error: " not in render_page(request, "base.html", {"form": Asked()}).content.decode()
