"""Forms of roles and updates: each collects what `incidents.services` needs."""

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import Role
from core.forms import LinesField, OnceMixin, RefusalMixin
from incidents.domain.communication import Audience, PublicState
from incidents.domain.roles import RoleName
from incidents.models.communication import LONGEST_UPDATE, PUBLIC_STATES, ROLES
from incidents.queries.status_updates import Draft

__all__ = ["OfferForm", "RoleForm", "UpdateForm"]

_RESPONDING = [role for role in Role if role.includes(Role.RESPONDER)]


class RoleForm(forms.Form):
    """Which role a button is about."""

    role = forms.TypedChoiceField(choices=ROLES, coerce=RoleName)


class OfferForm(RefusalMixin, RoleForm):
    """Which role is handed to whom."""

    to = forms.ModelChoiceField(
        User.objects.filter(is_active=True, role__in=_RESPONDING).order_by("username"),
        label="Hand it to",
        to_field_name="username",
        help_text="They have it once they accept. Their rules for low urgency tell them: nobody is woken.",
    )


class UpdateForm(RefusalMixin, OnceMixin, forms.Form):
    """What is told; of a public update also where the incident stands."""

    state = forms.TypedChoiceField(
        choices=[("", "Choose one"), *PUBLIC_STATES], coerce=PublicState, label="Where it stands"
    )
    text = LinesField(
        max_length=LONGEST_UPDATE, widget=forms.Textarea(attrs={"rows": 8}), label="Update"
    )
    # What was previewed, signed; see `update_views`.
    seen = forms.CharField(required=False, max_length=500, widget=forms.HiddenInput)

    def __init__(self, *args: Any, audience: Audience, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._audience = audience
        if audience is Audience.INTERNAL:
            del self.fields["state"], self.fields["seen"]

    def draft(self) -> Draft:
        """Return what is to be told."""
        return Draft(self._audience, self.cleaned_data["text"], self.cleaned_data.get("state"))
