"""`/api/v1/services/` and `/api/v1/teams/`."""

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotAuthenticated, NotFound
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import BaseSerializer

from accounts.access import acting
from accounts.models import User
from accounts.roles import Role
from catalog.exports import services_csv
from catalog.filters import ServiceFilter, TeamFilter
from catalog.models import Service, Team
from catalog.serializers import (
    ImportResultSerializer,
    ImportSerializer,
    ServiceSerializer,
    TeamSerializer,
    is_dry_run,
)
from catalog.services.importing import import_sources
from catalog.services.services import create_service, delete_service, update_service
from catalog.services.teams import create_team, delete_team, update_team
from core import clock
from core.listing import ListFilter, ListOrdering
from core.parsers import YamlParser
from core.yaml_files import SourceFile

__all__ = ["ServiceViewSet", "TeamViewSet", "register"]


class CsvRenderer(BaseRenderer):
    """Names `text/csv` in content negotiation; the list writes the lines itself."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, *_args: Any, **_kwargs: Any) -> bytes:
        """Return a refusal as the JSON that it is: a problem has no columns."""
        rendered: bytes = JSONRenderer().render(data)
        return rendered


class BySlug:
    """Finds objects by slug; what cannot be one is missing like any other, as a problem."""

    lookup_field = "slug"
    lookup_value_regex = "[^/]+"

    def get_object(self) -> Any:
        """Return the object, or say that it is missing."""
        if "\x00" in self.kwargs["slug"]:  # type: ignore[attr-defined]
            raise NotFound("Not found.")
        return super().get_object()  # type: ignore[misc]


@extend_schema_view(
    list=extend_schema(
        summary="List services",
        parameters=[
            OpenApiParameter(
                "format", str, enum=["json", "csv"], description="csv: all rows as a download."
            )
        ],
    ),
    retrieve=extend_schema(summary="Read a service"),
    create=extend_schema(summary="Create a service"),
    update=extend_schema(summary="Replace a service's fields"),
    partial_update=extend_schema(summary="Change some fields of a service"),
    destroy=extend_schema(summary="Delete a service"),
)
class ServiceViewSet(BySlug, viewsets.ModelViewSet[Service]):
    """Services by slug; private ones exist only for their team and for admins."""

    queryset = Service.objects.none()
    serializer_class = ServiceSerializer
    filterset_class = ServiceFilter
    filter_backends = (ListFilter, ListOrdering)  # its filters search, too
    ordering = "slug"
    ordering_fields = ("slug", "name", "tier", "lifecycle", "created_at", "updated_at")
    read_role = Role.VIEWER
    write_role = Role.MANAGER

    def get_queryset(self) -> QuerySet[Service]:
        """Return what the caller may know of."""
        if getattr(self, "swagger_fake_view", False):
            return Service.objects.none()
        user = _user(self.request)
        return Service.objects.visible_to(user).with_links(user)

    def get_renderers(self) -> list[BaseRenderer]:
        """Add CSV to the list, and only there."""
        extra = [CsvRenderer()] if self.action == "list" else []
        return [*super().get_renderers(), *extra]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Answer one page as JSON, or every matching row as CSV."""
        renderer = getattr(request, "accepted_renderer", None)
        if renderer is not None and renderer.format == "csv":
            return services_csv(self.filter_queryset(self.get_queryset()))
        return super().list(request, *args, **kwargs)

    @extend_schema(
        summary="Import teams and services from YAML",
        parameters=[
            OpenApiParameter("dry_run", bool, description="Say what would happen; write nothing.")
        ],
        request={"application/json": ImportSerializer, "application/yaml": OpenApiTypes.STR},
        responses={200: ImportResultSerializer},
    )
    @action(
        detail=False,
        methods=["post"],
        url_path="import",
        parser_classes=[JSONParser, YamlParser],
        filter_backends=[],
        pagination_class=None,
    )
    def import_yaml(self, request: Request) -> Response:
        """Import each document on its own and answer a verdict on each, refused ones included."""
        body = ImportSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        dry_run = is_dry_run(request)
        verdicts = import_sources(
            [SourceFile("body", body.validated_data["yaml"])],
            now=clock.now(),
            actor=acting(request),
            dry_run=dry_run,
        )
        accepted = sum(verdict.accepted for verdict in verdicts)
        result = {
            "dry_run": dry_run,
            "accepted": accepted,
            "refused": len(verdicts) - accepted,
            "documents": [verdict.as_dict() for verdict in verdicts],
        }
        return Response(ImportResultSerializer(result).data)

    def perform_create(self, serializer: BaseSerializer[Service]) -> None:
        """Create through the service layer."""
        values = dict(serializer.validated_data)
        dependencies = values.pop("dependencies", None)
        service = create_service(
            values=values, dependencies=dependencies, now=clock.now(), actor=acting(self.request)
        )
        serializer.instance = self.get_queryset().filter(pk=service.pk).first() or service

    def perform_update(self, serializer: BaseSerializer[Service]) -> None:
        """Change through the service layer."""
        values = dict(serializer.validated_data)
        dependencies = values.pop("dependencies", None)
        service = cast("Service", serializer.instance)
        update_service(
            service,
            values=values,
            dependencies=dependencies,
            now=clock.now(),
            actor=acting(self.request),
        )
        serializer.instance = self.get_queryset().filter(pk=service.pk).first() or service

    def perform_destroy(self, instance: Service) -> None:
        """Delete through the service layer."""
        delete_service(instance, now=clock.now(), actor=acting(self.request))


@extend_schema_view(
    list=extend_schema(summary="List teams"),
    retrieve=extend_schema(summary="Read a team"),
    create=extend_schema(summary="Create a team"),
    update=extend_schema(summary="Replace a team's fields"),
    partial_update=extend_schema(summary="Change some fields of a team"),
    destroy=extend_schema(summary="Delete a team; its services stay, without an owner"),
)
class TeamViewSet(BySlug, viewsets.ModelViewSet[Team]):
    """Teams by slug."""

    queryset = Team.objects.prefetch_related("members")
    serializer_class = TeamSerializer
    filterset_class = TeamFilter
    search_fields = ("slug", "name", "description")
    ordering = "slug"
    ordering_fields = ("slug", "name", "created_at", "updated_at")
    read_role = Role.VIEWER
    write_role = Role.MANAGER

    def perform_create(self, serializer: BaseSerializer[Team]) -> None:
        """Create through the service layer."""
        values = dict(serializer.validated_data)
        members = values.pop("members", ())
        serializer.instance = create_team(
            values=values, members=members, now=clock.now(), actor=acting(self.request)
        )

    def perform_update(self, serializer: BaseSerializer[Team]) -> None:
        """Change through the service layer."""
        values = dict(serializer.validated_data)
        members = values.pop("members", None)
        team = cast("Team", serializer.instance)
        update_team(
            team,
            values=values,
            members=members,
            now=clock.now(),
            actor=acting(self.request),
        )
        serializer.instance = self.get_queryset().get(pk=team.pk)

    def perform_destroy(self, instance: Team) -> None:
        """Delete through the service layer."""
        delete_team(instance, now=clock.now(), actor=acting(self.request))


def _user(request: Request) -> User:
    """Return the caller; permissions have refused everyone unknown."""
    user = request.user
    if not isinstance(user, User):
        raise NotAuthenticated
    return user


def register(router: SimpleRouter) -> None:
    """Add the catalog's resources to the API."""
    router.register("services", ServiceViewSet, basename="service")
    router.register("teams", TeamViewSet, basename="team")
