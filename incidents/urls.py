"""Addresses of the alert pages."""

from django.urls import path

from incidents import list_views, maintenance_views, receipt_views, silence_views

app_name = "incidents"
urlpatterns = [
    path("", list_views.alert_list, name="alerts"),
    path("<int:pk>/receipt/", receipt_views.alert_receipt, name="alert-receipt"),
    path("quiet/", silence_views.silence_list, name="silences"),
    path("silences/new/", silence_views.silence_new, name="silence-new"),
    path("silences/<int:pk>/end/", silence_views.silence_end, name="silence-end"),
    path("maintenance/new/", maintenance_views.maintenance_new, name="maintenance-new"),
    path(
        "maintenance/<int:pk>/public/",
        maintenance_views.maintenance_words,
        name="maintenance-words",
    ),
    path(
        "maintenance/<int:pk>/cancel/",
        maintenance_views.maintenance_cancel,
        name="maintenance-cancel",
    ),
]
