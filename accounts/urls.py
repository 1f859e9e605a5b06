"""Addresses of accounts; django-allauth adds sign-in and its kin below `/accounts/`."""

from django.urls import URLPattern, URLResolver, path

from accounts import views

app_name = "accounts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", views.profile, name="profile"),
    # Before django-allauth's page of that address: addresses are changed by admins, and audited.
    path("accounts/email/", views.email_address, name="email-address"),
    path("accounts/tokens/", views.token_list, name="tokens"),
    path("accounts/tokens/<int:token_id>/revoke/", views.token_revoke, name="token-revoke"),
]
