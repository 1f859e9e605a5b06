"""Addresses of the pages of integrations."""

from django.urls import path

from incidents import integration_views as views

app_name = "integrations"
urlpatterns = [
    path("", views.integration_list, name="list"),
    path("new/", views.integration_new, name="new"),
    path("inbox/", views.inbox, name="inbox"),
    path("events/<int:pk>/", views.event_detail, name="event"),
    path("events/<int:pk>/settle/", views.event_settle, name="settle"),
    path("<int:pk>/", views.integration_detail, name="detail"),
    path("<int:pk>/edit/", views.integration_edit, name="edit"),
    path("<int:pk>/rotate/", views.integration_rotate, name="rotate"),
    path("<int:pk>/preview/", views.integration_preview, name="preview"),
]
