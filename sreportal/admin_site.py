"""Admin pages refuse in words what they cannot use, whichever package a page comes from."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.forms.formsets import INITIAL_FORM_COUNT, TOTAL_FORM_COUNT
from django.http import HttpRequest, HttpResponseBase

from core.errors import InvalidInput
from sreportal.admin_known import KnownRows
from sreportal.admin_pages import PortalPages

__all__ = ["PortalAdminSite"]

View = Callable[..., HttpResponseBase]
LARGEST_ID = 2**63 - 1
# Django draws up to two thousand of a row's parts, which takes a quarter of a minute.
MOST_PARTS = 500
_COUNTS = (f"-{TOTAL_FORM_COUNT}", f"-{INITIAL_FORM_COUNT}")


class PortalAdminSite(AdminSite):
    """Answers 400 where Django's admin would fail."""

    def register(
        self,
        model_or_iterable: Any,
        admin_class: type[ModelAdmin[Any]] | None = None,
        **options: Any,
    ) -> None:
        """Give each model's pages what all pages of the admin have."""
        given = admin_class or ModelAdmin
        about = {
            "__module__": given.__module__,
            "__doc__": given.__doc__,
            "inlines": [
                type(part.__name__, (KnownRows, part), {"__module__": part.__module__})
                for part in given.inlines
            ],
        }
        super().register(
            model_or_iterable, type(given.__name__, (PortalPages, given), about), **options
        )

    def admin_view(self, view: View, cacheable: bool = False) -> Any:
        """Have rows that cannot exist, and what a service refuses, answered with 400.

        A page's own form is done in whole or not at all. What is done to chosen rows of a list is done row
        by row: in one transaction, the first would hold the audit that whoever holds the next waits for.
        """

        @wraps(view)
        def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                _refuse_strange_rows(request)
                _refuse_strange_counts(request)
            try:
                return view(request, *args, **kwargs)
            except ValidationError as error:
                raise InvalidInput(" ".join(error.messages), fields=_by_field(error)) from error

        return super().admin_view(careful, cacheable)


def _refuse_strange_rows(request: HttpRequest) -> None:
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    # Python reads no number of thousands of digits; ids have nineteen at most.
    if not all(
        row.isascii() and row.isdecimal() and len(row) <= 19 and int(row) <= LARGEST_ID
        for row in chosen
    ):
        message = "What was chosen are no rows of this list. Load it again."
        raise InvalidInput(message, field=ACTION_CHECKBOX_NAME)


def _refuse_strange_counts(request: HttpRequest) -> None:
    """Refuse numbers of a row's parts that no form of the admin sends."""
    for name in request.POST:
        if not name.endswith(_COUNTS):
            continue
        given = str(request.POST[name])
        if not (given.isascii() and given.isdecimal()):
            message = "The page did not count its rows so. Load it again."
            raise InvalidInput(message, field=name)
        if len(given) > 6 or int(given) > MOST_PARTS:
            raise InvalidInput(f"At most {MOST_PARTS} at a time.", field=name)


def _by_field(error: ValidationError) -> dict[str, list[str]] | None:
    return error.message_dict if hasattr(error, "error_dict") else None
