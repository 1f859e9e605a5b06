"""Addresses of users_api; `SliMiddleware` takes a slash at the end off before they are matched."""

from django.urls import URLPattern, URLResolver, path

from users_api import health
from users_api.api import PersonViewSet, UnknownAddress

app_name = "users_api"

persons = PersonViewSet.as_view({"get": "list", "post": "create"})
person = PersonViewSet.as_view(
    {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
)
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/users", persons, name="persons"),
    path("api/users/<id>", person, name="person"),
    path("api/users/<path:rest>", UnknownAddress.as_view()),
    path("health", health.summary, name="health"),
    path("health/ready", health.ready, name="health-ready"),
    path("health/live", health.live, name="health-live"),
]
