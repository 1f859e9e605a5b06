"""Addresses of how people and teams are reached."""

from django.urls import path

from notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.my_methods, name="mine"),
    path("browser/", views.add_browser, name="browser"),
    path("worker.js", views.push_worker, name="push-worker"),
    path("rules/", views.add_rule, name="rule"),
    path("rules/<int:pk>/remove/", views.remove_rule, name="rule-remove"),
    path("quiet/", views.set_quiet_hours, name="quiet"),
    path("quiet/remove/", views.remove_quiet_hours, name="quiet-remove"),
    path("teams/<slug:slug>/", views.team_channels, name="channels"),
    path("<int:pk>/<slug:action>/", views.act, name="act"),
]
