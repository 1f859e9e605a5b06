"""Addresses of the public page."""

from django.urls import path, re_path

from statuspage import subscription_views, views
from statuspage.rendering import paths_of_documents

app_name = "status"
urlpatterns = [
    path("", views.page, name="page"),
    path("history/", views.history, name="history"),
    path("incidents/<slug:public_id>/", views.incident, name="incident"),
    path("components/<slug:public_id>/", views.component, name="component"),
    *(path(each, views.document, {"path": each}, name=each) for each in paths_of_documents()),
    re_path(r"^api/v2/(?P<rest>.*)$", views.no_document, name="no-document"),
    path("subscribe/", subscription_views.subscribe, name="subscribe"),
    path("confirm/<str:token>/", subscription_views.confirm, name="confirm"),
    path("unsubscribe/<str:token>/", subscription_views.unsubscribe, name="unsubscribe"),
]
