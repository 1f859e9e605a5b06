"""Rows of the admin that somebody may know of: private services are for their team and for admins."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from django.apps import apps
from django.contrib.admin import FieldListFilter, RelatedFieldListFilter
from django.contrib.admin.options import BaseModelAdmin
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    CompositePrimaryKey,
    Exists,
    ForeignKey,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Cast, Substr
from django.http import HttpRequest

from accounts.access import signed_in
from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core.models import AuditEntry

__all__ = ["KnownRows"]

_FARTHEST = 3


class KnownRows(BaseModelAdmin[Any]):
    """Leaves out what belongs to services that the reader may not know of, in lists and in choices."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that can be seen, changed and deleted."""
        return known_to(signed_in(request), super().get_queryset(request))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field of a form; what may not be known of is no choice."""
        chosen = kwargs.get("queryset")
        if chosen is None:
            chosen = db_field.remote_field.model._default_manager.all()
        kwargs["queryset"] = known_to(signed_in(request), chosen)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ServiceFilter(RelatedFieldListFilter):
    """Narrows a list to a service that the reader may know of."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        """Return the services to choose from."""
        known = known_to(signed_in(request), Service.objects.all())
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to={"pk__in": known.values("pk")}
        )


FieldListFilter.register(
    lambda field: getattr(field.remote_field, "model", None) is Service,
    ServiceFilter,
    take_priority=True,
)


def known_to(user: User, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Keep the rows of no service, and those of services that `user` may know of."""
    if user.has_role(Role.ADMIN):
        return rows
    if rows.model is AuditEntry:
        return rows.filter(_is_told(user))
    known = Service.objects.visible_to(user)
    if rows.model is Service:
        return rows.filter(pk__in=known.values("pk"))
    model: Any = rows.model
    for way in _ways(model):
        rows = rows.filter(Q(**{way: None}) | Q(**{f"{way}__in": known.values("pk")}))
    return rows


def _is_told(user: User) -> Case:
    """Return the condition on entries of the audit: their subject is known to `user`.

    What is no longer there may have been of a private service: it is for admins.
    """
    cases = []
    for model in apps.get_models():
        is_of_service = model is Service or _ways(model)
        if not is_of_service or isinstance(model._meta.pk, CompositePrimaryKey):
            continue
        label = model._meta.label_lower
        key, is_row = _key_after(label, by_slug=model is Service)
        known = known_to(user, model._default_manager.all()).filter(key)
        cases.append(When(is_row, then=Exists(known)))
        cases.append(When(subject__startswith=f"{label}:", then=Value(False)))
    return Case(*cases, default=Value(True), output_field=BooleanField())


def _key_after(label: str, *, by_slug: bool) -> tuple[Q, Q]:
    """Return how a row is found by the subject of an entry, and which subjects can be of one."""
    key = Substr(OuterRef("subject"), len(label) + 2)
    if by_slug:
        return Q(slug=key), Q(subject__startswith=f"{label}:")
    number = Cast(key, BigIntegerField())
    # More digits than these are no number of a row.
    return Q(pk=number), Q(subject__regex=rf"^{label}:[0-9]{{1,18}}$")


@cache
def _ways(model: Any) -> tuple[str, ...]:
    return tuple(_walk(model, _FARTHEST))


def _walk(model: Any, left: int) -> Iterator[str]:
    """Yield how a row names services, itself or by what it belongs to: `sli__service`."""
    for field in model._meta.fields:
        if not isinstance(field, ForeignKey):
            continue
        other: Any = field.remote_field.model
        if other is Service:
            yield field.name
        elif left > 1 and other is not model:
            yield from (f"{field.name}__{way}" for way in _walk(other, left - 1))
