"""Addresses of slo."""

from django.urls import URLPattern, URLResolver

app_name = "slo"
urlpatterns: list[URLPattern | URLResolver] = []
