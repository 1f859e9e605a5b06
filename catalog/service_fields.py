"""Fields of forms that name services."""

from django import forms

from accounts.models import User
from catalog.models import Service

__all__ = ["offer_services"]


def offer_services(form: forms.BaseForm, user: User, *, field: str = "service") -> None:
    """Let a field choose among the services that the user may know of; others do not exist."""
    chosen = form.fields[field]
    assert isinstance(chosen, forms.ModelChoiceField)
    chosen.queryset = Service.objects.visible_to(user)
