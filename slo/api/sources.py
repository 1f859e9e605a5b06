"""`/api/v1/sources/`: systems that are asked for the minutes of SLIs."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers, viewsets

from accounts.access import signed_in
from accounts.roles import Role
from core.api import StrictFieldsMixin
from core.clock import now
from slo.models import Source
from slo.services import source_health, sources

SECRET: dict[str, Any] = {
    "required": False,
    "write_only": True,
    "trim_whitespace": False,
    "max_length": 4000,
}


class CredentialsSerializer(StrictFieldsMixin, serializers.Serializer[Any]):
    """A bearer token, or a name with a password; an empty object forgets them."""

    token = serializers.CharField(**SECRET)
    username = serializers.CharField(**SECRET)
    password = serializers.CharField(**SECRET)

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """One way to sign in, whole."""
        if "token" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"token": ["Give a token or a name, not both."]})
        if ("username" in attrs) != ("password" in attrs):
            raise serializers.ValidationError({"password": ["Give username and password."]})
        unusable = [name for name, text in attrs.items() if not text.isprintable()]
        if unusable:
            raise serializers.ValidationError({unusable[0]: ["Has characters no header carries."]})
        return attrs


class SourceSerializer(StrictFieldsMixin, serializers.ModelSerializer[Source]):
    """A system that is asked for the minutes of SLIs. Its credentials are never shown."""

    credentials = CredentialsSerializer(
        required=False,
        write_only=True,
        help_text="Prometheus: how to sign in. Left out, they stay; with another url they go.",
    )
    authentication = serializers.SerializerMethodField(
        help_text="How it is signed in to: bearer, basic or none."
    )
    state = serializers.CharField(
        read_only=True, help_text="answering, failing, waiting (not asked yet) or off."
    )

    class Meta:
        model = Source
        fields = [
            "slug",
            "kind",
            "url",
            "region",
            "credentials",
            "authentication",
            "delay_minutes",
            "is_enabled",
            "state",
            "complete_until",
            "failing_since",
            "last_error",
        ]
        read_only_fields = ["complete_until", "failing_since", "last_error"]

    def get_authentication(self, source: Source) -> str:
        """Return how it is signed in to."""
        return source_health.authentication(source)

    def create(self, validated_data: dict[str, Any]) -> Source:
        """Create through the service, which encrypts the credentials."""
        return self._save(Source(), validated_data)

    def update(self, instance: Source, validated_data: dict[str, Any]) -> Source:
        """Change through the service, which writes the audit."""
        return self._save(instance, validated_data)

    def _save(self, source: Source, fields: dict[str, Any]) -> Source:
        credentials = fields.pop("credentials", None)
        return sources.save_source(
            source,
            actor=self.context["request"].user,
            now=now(),
            fields=fields,
            credentials=credentials,
        )


class SourceViewSet(viewsets.ModelViewSet[Source]):
    """Systems that are asked for the minutes of SLIs."""

    queryset = Source.objects.none()
    serializer_class = SourceSerializer
    lookup_field = "slug"
    read_role = Role.VIEWER
    write_role = Role.MANAGER
    search_fields = ["slug", "url"]

    def get_queryset(self) -> QuerySet[Source]:
        """All of them."""
        return Source.objects.all()

    def perform_destroy(self, instance: Source) -> None:
        """Refuse while an SLI needs it."""
        sources.delete_source(instance, actor=signed_in(self.request), now=now())
