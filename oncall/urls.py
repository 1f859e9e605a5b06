"""Addresses of on-call."""

from django.urls import path

from oncall import calendar_views, editor_views, views

app_name = "oncall"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("calendar/<str:secret>.ics", calendar_views.calendar, name="calendar"),
    path("calendars/", calendar_views.calendar_add, name="calendar-add"),
    path("calendars/<int:pk>/revoke/", calendar_views.calendar_revoke, name="calendar-revoke"),
    path("swaps/<int:pk>/<slug:action>/", calendar_views.swap_answer, name="swap-answer"),
    path("check/", views.check, name="check"),
    path("new/", editor_views.schedule_new, name="schedule-new"),
    path("policies/new/", editor_views.policy_new, name="policy-new"),
    path("policies/<slug:slug>/edit/", editor_views.policy_edit, name="policy-edit"),
    path("policies/<slug:slug>/delete/", editor_views.policy_delete, name="policy-delete"),
    path("policies/<slug:slug>/", views.policy_detail, name="policy"),
    path("<slug:slug>/", views.schedule_detail, name="schedule"),
    path("<slug:slug>/edit/", editor_views.schedule_edit, name="schedule-edit"),
    path("<slug:slug>/delete/", editor_views.schedule_delete, name="schedule-delete"),
    path("<slug:slug>/swaps/", calendar_views.swap_ask, name="swap-ask"),
    path("<slug:slug>/overrides/<int:pk>/remove/", views.override_remove, name="override-remove"),
]
