"""Admin pages refuse in words what they cannot use, whichever package a page comes from."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ValidationError
from django.forms.formsets import TOTAL_FORM_COUNT
from django.http import HttpRequest, HttpResponseBase

from core.errors import InvalidInput

__all__ = ["PortalAdminSite"]

View = Callable[..., HttpResponseBase]
LARGEST_ID = 2**63 - 1
# Django draws up to two thousand of a row's parts, which takes a quarter of a minute.
MOST_PARTS = 500


class PortalAdminSite(AdminSite):
    """Answers 400 where Django's admin would fail."""

    def admin_view(self, view: View, cacheable: bool = False) -> Any:
        """Have rows that cannot exist, and what a service refuses, answered with 400."""

        @wraps(view)
        def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                _refuse_strange_rows(request)
                _refuse_too_many_parts(request)
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


def _refuse_too_many_parts(request: HttpRequest) -> None:
    for name in request.POST:
        given = str(request.POST[name]) if name.endswith(f"-{TOTAL_FORM_COUNT}") else ""
        if given.isdecimal() and (len(given) > 6 or int(given) > MOST_PARTS):
            raise InvalidInput(f"At most {MOST_PARTS} at a time.", field=name)


def _by_field(error: ValidationError) -> dict[str, list[str]] | None:
    return error.message_dict if hasattr(error, "error_dict") else None
