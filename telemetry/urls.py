"""Addresses of telemetry."""

from django.urls import URLPattern, URLResolver, path

from telemetry.api import FreshnessView, RequestsView
from telemetry.metrics_api import MetricsView
from telemetry.otlp_api import ExportView

app_name = "telemetry"
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/telemetry/requests", RequestsView.as_view(), name="requests"),
    path("api/v1/telemetry/freshness", FreshnessView.as_view(), name="freshness"),
    path("v1/metrics", ExportView.as_view(), name="otlp-metrics"),
    path("api/v1/services/<slug:slug>/metrics/", MetricsView.as_view(), name="service-metrics"),
]
