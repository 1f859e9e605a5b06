"""Addresses of catalog."""

from django.urls import path

from catalog import import_views, team_views, views

app_name = "catalog"
urlpatterns = [
    path("", views.service_list, name="services"),
    path("export.csv", views.service_export, name="service-export"),
    path("new/", views.service_new, name="service-new"),
    path("import/", import_views.import_page, name="import"),
    path("teams/", team_views.team_list, name="teams"),
    path("teams/new/", team_views.team_new, name="team-new"),
    path("teams/<slug:slug>/", team_views.team_detail, name="team"),
    path("teams/<slug:slug>/edit/", team_views.team_edit, name="team-edit"),
    path("teams/<slug:slug>/delete/", team_views.team_delete, name="team-delete"),
    path("<slug:slug>/", views.service_detail, name="service"),
    path("<slug:slug>/edit/", views.service_edit, name="service-edit"),
    path("<slug:slug>/delete/", views.service_delete, name="service-delete"),
]
