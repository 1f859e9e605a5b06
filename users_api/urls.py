"""Addresses of users_api."""

from django.urls import URLPattern, URLResolver

app_name = "users_api"
urlpatterns: list[URLPattern | URLResolver] = []
