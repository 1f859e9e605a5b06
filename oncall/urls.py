"""Addresses of on-call."""

from django.urls import path

from oncall import views

app_name = "oncall"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("policies/<slug:slug>/", views.policy_detail, name="policy"),
    path("<slug:slug>/", views.schedule_detail, name="schedule"),
    path("<slug:slug>/overrides/<int:pk>/remove/", views.override_remove, name="override-remove"),
]
