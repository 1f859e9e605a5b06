"""Addresses of the SLO pages."""

from django.urls import URLPattern

app_name = "slo"
urlpatterns: list[URLPattern] = []
