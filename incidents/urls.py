"""Addresses of the alert pages."""

from django.urls import path

from incidents import views

app_name = "incidents"
urlpatterns = [path("", views.alert_list, name="alerts")]
