"""Admin of people and their tokens. All changes go through the services."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.models import ApiToken, User
from accounts.services import users
from accounts.services.credentials import disconnect_identity, remove_second_factor
from accounts.services.tokens import revoke_token
from core import audit, clock

# The admin has no sign-in of its own: one door, with its second factor and its limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_header = admin.site.site_title = "SRE Portal"
admin.site.site_url = "/"
# What django-allauth and Django register: issuers and groups would be ways in beside the settings
# and the roles, and the rest would be changed past the services and their audit.
for _app in ("account", "mfa", "socialaccount"):
    import_module(f"allauth.{_app}.admin")
admin.site.unregister([Authenticator, EmailAddress, Group, SocialAccount, SocialApp, SocialToken])


@admin.register(User)
class PortalUserAdmin(UserAdmin[User]):
    """People. They are deactivated, not deleted, so that the audit keeps its sense."""

    why_kept = "People are deactivated, not deleted, so that the audit keeps its sense."
    list_display = (
        "username",
        "email",
        "first_name",
        "last_name",
        "role",
        "is_active",
        "team_names",
    )
    list_filter = ("role", "is_active")
    filter_horizontal = ()
    readonly_fields = ("team_names", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email", "timezone", "team_names")}),
        ("Access", {"fields": ("role", "is_active")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "email", "role", "usable_password", "password1", "password2")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Fetch the teams with the page."""
        return super().get_queryset(request).prefetch_related("teams")

    @admin.display(description="teams")
    def team_names(self, user: User) -> str:
        """Return the names of a person's teams; they are edited at the team."""
        return ", ".join(str(team) for team in user.teams.all()) or "none"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deactivate instead."""
        return False

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        """Create or change through the services."""
        given = form.cleaned_data
        fields = {name: given[name] for name in users.FIELDS if name in given}
        if change:
            stored = User.objects.get(pk=obj.pk)
            users.change_user(user=stored, fields=fields, now=clock.now(), actor=_me(request))
            return
        password = given.get("password1") if given.get("set_usable_password", True) else None
        made = users.create_user(
            **fields, password=password or None, now=clock.now(), actor=_me(request)
        )
        obj.pk, obj._state.adding = made.pk, False

    def user_change_password(
        self,
        request: HttpRequest,
        id: str,  # noqa: A002 Django calls it so
        form_url: str = "",
    ) -> HttpResponse:
        """Tell a password set by an admin in the audit; it ends the person's sessions."""
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            if request.method == "POST" and response.status_code == 302:
                subject = User.objects.get(pk=id)
                audit.record(
                    act="user.password_set_by_admin",
                    subject=subject,
                    actor=_me(request),
                    now=clock.now(),
                )
        return response


@admin.register(ApiToken)
class ApiTokenAdmin(admin.ModelAdmin[ApiToken]):
    """Everyone's tokens: never the secret, only what it is called and whether it is in use."""

    why_kept = "Tokens are revoked in the list, not deleted, so that the audit keeps its sense."
    list_display = (
        "masked",
        "user",
        "name",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("revoked_at",)
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "lookup")
    fields = readonly_fields = list_display
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People make their own; scripts use `manage.py token create`."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Revoke instead, so that the audit keeps its sense."""
        return False

    @admin.action(description="Revoke the selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Make the selected tokens useless."""
        for token in queryset.select_related("user"):
            revoke_token(token, now=clock.now(), actor=_me(request))
        self.message_user(request, "The selected tokens are revoked.")


class _CredentialAdmin(admin.ModelAdmin[Any]):
    """By which people sign in: seen without what is secret, removed through a service."""

    remove: Callable[..., None]
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People set up their own."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed by hand."""
        return False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Remove one."""
        type(self).remove(obj, now=clock.now(), actor=_me(request))


@admin.register(Authenticator)
class SecondFactorAdmin(_CredentialAdmin):
    """Second factors, for when somebody lost theirs."""

    remove = staticmethod(remove_second_factor)
    list_display = fields = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)


@admin.register(SocialAccount)
class IdentityAdmin(_CredentialAdmin):
    """Who is who at the issuer of single sign-on."""

    remove = staticmethod(disconnect_identity)
    list_display = fields = ("user", "uid", "date_joined", "last_login")


def _me(request: HttpRequest) -> User:
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the admin is for people who are signed in")
    return user
