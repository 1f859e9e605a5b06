"""Addresses of chaos."""

from django.urls import URLPattern, URLResolver

app_name = "chaos"
urlpatterns: list[URLPattern | URLResolver] = []
