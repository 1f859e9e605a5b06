"""Addresses of catalog."""

from django.urls import path

from catalog import views

app_name = "catalog"
urlpatterns = [
    path("", views.service_list, name="services"),
    path("teams/<slug:slug>/", views.team_detail, name="team"),
    path("<slug:slug>/", views.service_detail, name="service"),
]
