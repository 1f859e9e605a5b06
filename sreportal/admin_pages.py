"""What all pages of the admin have in common, whichever package a page comes from."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import IntegrityError, transaction
from django.db.models import JSONField
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst

from core.admin_history import history_of, rows_of
from core.errors import DomainError, Forbidden
from core.forms import JsonField
from core.problems import CONFLICTS
from sreportal.admin_known import KnownRows

__all__ = ["PortalPages"]

ROWS_OF_A_PAGE = 100
_ABOVE_ALL = "__all__"
Messages = Mapping[str, Sequence[str]]


class PortalPages(KnownRows, admin.ModelAdmin[Any]):
    """Says in the form what a service refuses, why a row stays, and what happened to it.

    `PortalAdminSite.register` puts it before the class that a model is registered with, which may say
    in `why_kept` why rows are not deleted.
    """

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form again, as it was sent, with what a service found wrong in it."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except (DomainError, ModelValidationError, IntegrityError) as error:
            if request.method != "POST":
                raise
            request.admin_refusal = _by_field(error)  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[ModelForm[Any]]:
        """Return the form; what was refused before is wrong in it."""
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal: Messages | None = getattr(request, "admin_refusal", None)
        return form if refusal is None else _refused(form, refusal)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field of a form; JSON that cannot be read is said to be wrong."""
        if isinstance(db_field, JSONField):
            kwargs.setdefault("form_class", JsonField)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Say why a row is not deleted to somebody whose role would allow it."""
        row = self.get_object(request, unquote(object_id))
        is_by_role = admin.ModelAdmin.has_delete_permission(self, request, row)
        if row is not None and is_by_role and not self.has_delete_permission(request, row):
            raise Forbidden(getattr(self, "why_kept", "") or "It is not deleted by hand.")
        return super().delete_view(request, object_id, extra_context)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write nothing yet: Django asks before any row is deleted."""
        return []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete a row, with its line in Django's own history."""
        super().log_deletions(request, [obj])  # type: ignore[arg-type]  # as Django calls it
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete those selected, each in a transaction of its own; one may go with another.

        One that must stay ends it: those before it are gone, those after it stay, too.
        """
        for obj in list(queryset):
            with transaction.atomic():
                if queryset.model._default_manager.filter(pk=obj.pk).exists():
                    self.delete_model(request, obj)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what happened to a row, newest first, whatever changed it."""
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return super().history_view(request, object_id, extra_context)
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        paginator = self.get_paginator(request, history_of(row), ROWS_OF_A_PAGE)
        page = paginator.get_page(request.GET.get(PAGE_VAR, 1))
        context = {
            **self.admin_site.each_context(request),
            "title": f"History: {row}",
            "subtitle": None,
            "rows": rows_of(list(page)),
            "page": page,
            "page_range": paginator.get_elided_page_range(page.number),
            "page_var": PAGE_VAR,
            "module_name": str(capfirst(self.opts.verbose_name_plural)),
            "object": row,
            "opts": self.opts,
            "preserved_filters": self.get_preserved_filters(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/object_history.html", context)


def _by_field(error: DomainError | ModelValidationError | IntegrityError) -> Messages:
    """Return what was refused, by field of the form."""
    if isinstance(error, DomainError):
        return error.fields or {_ABOVE_ALL: [error.message]}
    if isinstance(error, IntegrityError):
        return {_ABOVE_ALL: [CONFLICTS]}
    if hasattr(error, "error_dict"):
        return error.message_dict
    return {_ABOVE_ALL: error.messages}


def _refused(form: type[ModelForm[Any]], refusal: Messages) -> type[ModelForm[Any]]:
    """Return a form in which a refusal stands beside its fields, or above all."""

    class Refused(form):  # type: ignore[misc, valid-type]
        def full_clean(self) -> None:
            super().full_clean()
            for name, said in refusal.items() if self.is_bound else ():
                is_here = name in self.fields
                words = (
                    list(said) if is_here or name == _ABOVE_ALL else [f"{name}: {' '.join(said)}"]
                )
                self.add_error(name if is_here else None, words)

    return Refused
