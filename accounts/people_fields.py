"""Fields of forms that name people."""

from collections.abc import Iterable
from operator import attrgetter

from django import forms
from django.db.models import Q

from accounts.models import User

__all__ = ["offer_people"]


def offer_people(form: forms.BaseForm, *, field: str, kept: Iterable[int | None] = ()) -> None:
    """Let a field choose among those who are active, and those who are named there already.

    Who was deactivated stays until somebody takes them out on purpose: they may come back.

    Args:
        form: Of which.
        field: Which of its fields.
        kept: Primary keys of those who are named by the stored row; None is nobody.
    """
    chosen = form.fields[field]
    assert isinstance(chosen, forms.ModelChoiceField)
    held = [pk for pk in kept if pk is not None]
    people = User.objects.filter(Q(is_active=True) | Q(pk__in=held))
    chosen.queryset = people.order_by("username")
    chosen.label_from_instance = attrgetter("named")  # type: ignore[method-assign, assignment]
