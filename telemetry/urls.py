"""Addresses of telemetry."""

from django.urls import URLPattern, URLResolver, path

from telemetry.api import FreshnessView, RequestsView

app_name = "telemetry"
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/telemetry/requests", RequestsView.as_view(), name="requests"),
    path("api/v1/telemetry/freshness", FreshnessView.as_view(), name="freshness"),
]
