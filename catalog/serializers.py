"""Teams and services as JSON. Serializers check shapes; `catalog.services` writes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import User
from catalog.models import RESERVED_SLUGS, SLUG, Service, Team
from core.api import StrictFieldsMixin
from core.listing import refuse_unknown_parameters
from core.yaml_documents import MAX_BYTES

__all__ = [
    "DependencySerializer",
    "DryRunSerializer",
    "ImportResultSerializer",
    "ImportSerializer",
    "ServiceSerializer",
    "TeamSerializer",
]

MAX_LINKS = 500
_LINK = {
    "type": "object",
    "properties": {"slug": {"type": "string"}, "is_hard": {"type": "boolean", "default": True}},
    "required": ["slug"],
    "additionalProperties": False,
}


class SlugField(serializers.CharField):
    """A new slug; whether it is taken is for the service to say (409, not 400)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=63, validators=[SLUG, _refuse_reserved], **kwargs)


def _refuse_reserved(slug: str) -> None:
    if slug in RESERVED_SLUGS:
        raise serializers.ValidationError(f"{slug} is a page of the portal; choose another.")


class TeamSerializer(StrictFieldsMixin, serializers.ModelSerializer[Team]):
    """A team with its people by user name."""

    slug = SlugField()
    name = serializers.CharField(max_length=120, required=False)
    members = serializers.SlugRelatedField(
        slug_field="username", queryset=User.objects.all(), many=True, required=False
    )

    class Meta:
        model = Team
        fields = (
            "slug",
            "name",
            "description",
            "contact",
            "members",
            "created_at",
            "updated_at",
        )


class DependencySerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """One needed service. A bare slug stands for a hard dependency on it."""

    slug = serializers.CharField(max_length=63)
    is_hard = serializers.BooleanField(default=True)

    def to_internal_value(self, data: Any) -> Any:
        """REST framework's hook between the parsed body and `validated_data`."""
        return super().to_internal_value({"slug": data} if isinstance(data, str) else data)


@extend_schema_field(
    {"type": "array", "items": {"oneOf": [_LINK, {"type": "string", "title": "slug"}]}}
)
class DependenciesField(serializers.ListField):
    """What a service needs: `[{"slug": "orders", "is_hard": false}, "payments"]`.

    Validates to `{Service: is_hard}`. Services that the caller may not know of do not exist here.
    """

    child = DependencySerializer()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_LINKS, **kwargs)

    def to_representation(self, service: Service) -> list[dict[str, Any]]:  # type: ignore[override]
        """Return the links of a service loaded by `with_links`."""
        return [
            {"slug": link.target.slug, "is_hard": link.is_hard}
            for link in service.dependencies.all()
        ]

    def get_attribute(self, instance: Service) -> Service:  # type: ignore[override]
        """Hand the whole service on: links live in a related table."""
        return instance

    def to_internal_value(self, data: Any) -> dict[Service, bool]:  # type: ignore[override]
        """Return the links by service."""
        links = super().to_internal_value(data)
        request: Request = self.context["request"]
        slugs = {link["slug"] for link in links}
        known = Service.objects.visible_to(request.user).filter(slug__in=slugs)  # type: ignore[arg-type]
        by_slug = {service.slug: service for service in known}
        wrong = {
            index: [f"There is no service {link['slug']}."]
            for index, link in enumerate(links)
            if link["slug"] not in by_slug
        }
        if wrong:
            raise serializers.ValidationError([wrong.get(index, {}) for index in range(len(links))])
        return {by_slug[link["slug"]]: link.get("is_hard", True) for link in links}


class ServiceSerializer(StrictFieldsMixin, serializers.ModelSerializer[Service]):
    """A service, its owner by slug and its dependencies both ways."""

    slug = SlugField()
    name = serializers.CharField(max_length=120, required=False)
    owner = serializers.SlugRelatedField(
        slug_field="slug", queryset=Team.objects.all(), allow_null=True, required=False
    )
    dependencies = DependenciesField(required=False)
    dependents = serializers.SerializerMethodField(help_text="Slugs of what depends on it.")
    url = serializers.SerializerMethodField(help_text="Its page in the portal.")

    class Meta:
        model = Service
        fields = (
            "slug",
            "name",
            "description",
            "tier",
            "owner",
            "is_private",
            "lifecycle",
            "kind",
            "system",
            "runbook_url",
            "repository_url",
            "aws_region",
            "ecs_cluster",
            "ecs_service",
            "rds_instance",
            "load_balancer",
            "dependencies",
            "dependents",
            "url",
            "created_at",
            "updated_at",
        )

    def get_dependents(self, service: Service) -> list[str]:
        """Return the slugs of the services that need this one."""
        return [link.service.slug for link in service.dependent_links.all()]

    def get_url(self, service: Service) -> str:
        """Return the path of the page."""
        return service.get_absolute_url()


class ImportSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """YAML inside JSON."""

    yaml = serializers.CharField(max_length=MAX_BYTES, trim_whitespace=False)


class DryRunSerializer(serializers.Serializer[Any]):
    """`?dry_run=true`."""

    dry_run = serializers.BooleanField(default=False)


def is_dry_run(request: Request) -> bool:
    """Return whether an import is only tried.

    Raises:
        InvalidInput: A parameter has another name: what was to be tried would be done.
        ValidationError: `dry_run` is neither true nor false.
    """
    refuse_unknown_parameters(request, {"dry_run"})
    options = DryRunSerializer(data=request.query_params.dict())
    options.is_valid(raise_exception=True)
    found: bool = options.validated_data["dry_run"]
    return found


class RemarkSerializer(serializers.Serializer[Any]):
    """Something about one field of a document."""

    path = serializers.CharField(help_text="e.g. spec.dependsOn[0]; empty for the document.")
    line = serializers.IntegerField()
    message = serializers.CharField()


class VerdictSerializer(serializers.Serializer[Any]):
    """What became of one document."""

    file = serializers.CharField()
    document = serializers.IntegerField(help_text="From 1.")
    line = serializers.IntegerField(help_text="Where the document begins.")
    kind = serializers.CharField()
    format = serializers.CharField(help_text="backstage, sreportal, or empty.")
    slug = serializers.CharField(help_text="Of the team or service it became, or empty.")
    accepted = serializers.BooleanField()
    action = serializers.CharField(help_text="created, updated, unchanged or refused.")
    errors = RemarkSerializer(many=True)  # type: ignore[assignment]
    warnings = RemarkSerializer(many=True)
    lost = serializers.ListField(
        child=serializers.CharField(), help_text="Fields that were not carried."
    )


class ImportResultSerializer(serializers.Serializer[Any]):
    """Verdicts on all documents of an import."""

    dry_run = serializers.BooleanField()
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    documents = VerdictSerializer(many=True)
