"""Addresses of how a person is reached."""

from django.urls import path

from notifications import views

app_name = "notifications"
urlpatterns = [
    path("", views.my_methods, name="mine"),
    path("browser/", views.add_browser, name="browser"),
    path("worker.js", views.push_worker, name="push-worker"),
    path("rules/", views.add_rule, name="rule"),
    path("rules/<int:pk>/remove/", views.remove_rule, name="rule-remove"),
    path("<int:pk>/<slug:action>/", views.act, name="act"),
]
