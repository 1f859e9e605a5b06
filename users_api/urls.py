"""Addresses of users_api; `SliMiddleware` takes a slash at the end off before they are matched."""

from django.urls import URLPattern, URLResolver, path

from users_api import health
from users_api.api import PersonViewSet, UnknownAddress

app_name = "users_api"

LIST = {"get": "list", "post": "create"}
DETAIL = {
    "get": "retrieve",
    "put": "update",
    "patch": "partial_update",
    "delete": "destroy",
}

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/users", PersonViewSet.as_view(LIST), name="persons"),
    path("api/users/<id>", PersonViewSet.as_view(DETAIL), name="person"),
    path("api/users/<path:rest>", UnknownAddress.as_view()),
    path("health", health.summary, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("health/live", health.live, name="health-live"),
]
