"""Addresses of what the public reads of an incident."""

from django.urls import path

from statuspage import incident_views

app_name = "status-incident"
urlpatterns = [
    path("<int:pk>/public/", incident_views.edit, name="edit"),
    path("panels/public/<int:pk>/", incident_views.panel, name="panel"),
]
