"""Forms of the account pages."""

from typing import Any

from allauth.mfa import app_settings as mfa
from allauth.mfa.base.forms import AuthenticateForm, BaseAuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from django import forms
from django.core.cache import cache

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


class CodeCountsOnce(BaseAuthenticateForm):
    """A code of an authenticator app opens the door once for as long as it would be accepted.

    allauth forgets it after one period; with a tolerance the code is good for longer (RFC 6238,
    section 5.2: a verifier must not accept a second attempt of the same code).
    """

    def clean_code(self) -> str:
        """Return the accepted code; one that was used before counts as a wrong one."""
        digits = "".join(filter(str.isdigit, self.cleaned_data["code"]))
        used = f"accounts.code-used:{self.user.pk}:{digits}"
        if cache.get(used):
            self.cleaned_data["code"] = ""
        code = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            cache.set(used, True, mfa.TOTP_PERIOD * (2 * mfa.TOTP_TOLERANCE + 1))
        return str(code)


class SignInCodeForm(CodeCountsOnce, AuthenticateForm):
    """The second factor when somebody signs in."""


class ConfirmationCodeForm(CodeCountsOnce, ReauthenticateForm):
    """The second factor before somebody changes what guards the account."""
