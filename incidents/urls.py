"""Addresses of the alert pages."""

from django.urls import path

from incidents import list_views, silence_views

app_name = "incidents"
urlpatterns = [
    path("", list_views.alert_list, name="alerts"),
    path("quiet/", silence_views.silence_list, name="silences"),
    path("silences/new/", silence_views.silence_new, name="silence-new"),
    path("silences/<int:pk>/end/", silence_views.silence_end, name="silence-end"),
    path("maintenance/new/", silence_views.maintenance_new, name="maintenance-new"),
    path(
        "maintenance/<int:pk>/cancel/", silence_views.maintenance_cancel, name="maintenance-cancel"
    ),
]
