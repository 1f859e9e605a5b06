"""Forms of the account pages."""

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import Role
from accounts.scopes import allowed_scopes
from core.zones import zone_names


class ProfileForm(forms.Form):
    """What people change of themselves."""

    first_name = forms.CharField(max_length=150, required=False)
    last_name = forms.CharField(max_length=150, required=False)
    timezone = forms.ChoiceField(
        label="Time zone", help_text="Times are shown in this zone; what is stored is UTC."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(zone_names())
        self.fields["timezone"].choices = [(zone, zone) for zone in zones]  # type: ignore[attr-defined]


class TokenForm(forms.Form):
    """A new token of one's own."""

    name = forms.CharField(max_length=100, help_text="What will use it, e.g. checkout deploy job.")
    scopes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, help_text="As few as it needs."
    )
    expires = forms.TypedChoiceField(
        label="Expires",
        coerce=int,
        choices=[(30, "in 30 days"), (90, "in 90 days"), (365, "in a year"), (0, "never")],
        initial=90,
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = allowed_scopes(Role(user.role))
        self.fields["scopes"].choices = [(s.value, s.label) for s in scopes]  # type: ignore[attr-defined]
