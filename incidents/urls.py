"""Addresses of the alert pages."""

from django.urls import path

from incidents import quiet_views, views

app_name = "incidents"
urlpatterns = [
    path("", views.alert_list, name="alerts"),
    path("quiet/", quiet_views.quiet, name="quiet"),
    path("silences/new/", quiet_views.silence_new, name="silence-new"),
    path("silences/<int:pk>/end/", quiet_views.silence_end, name="silence-end"),
    path("maintenance/new/", quiet_views.maintenance_new, name="maintenance-new"),
    path("maintenance/<int:pk>/cancel/", quiet_views.maintenance_cancel, name="maintenance-cancel"),
]
