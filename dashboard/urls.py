"""Addresses of the overview and of the operations guide."""

from django.urls import path

from dashboard import api, handoff_views, views

app_name = "dashboard"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("oncall/<slug:slug>/handoff/", handoff_views.handoff, name="handoff"),
    path("sre/dashboard-ui", views.dashboard_ui, name="dashboard-ui"),
    path("sre/dashboard", api.DashboardView.as_view(), name="dashboard"),
    path("sre/health", api.HealthView.as_view(), name="health"),
    path("sre/metrics", api.MetricsView.as_view(), name="metrics"),
    path("sre/circuit-breakers", api.BreakersView.as_view(), name="circuit-breakers"),
    path("sre/alerts", api.AlertsView.as_view(), name="alerts"),
    path("sre/capacity", api.CapacityView.as_view(), name="capacity"),
]
