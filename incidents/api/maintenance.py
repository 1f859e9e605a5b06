"""`/api/v1/maintenance/`: planned work, once or repeating; made by people and by deployments."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from accounts.access import acting, signed_in
from accounts.roles import Role
from catalog.models import Service
from catalog.visible_services import VisibleServiceMixin
from core.api import StrictFieldsMixin
from core.clock import now
from incidents.models import Maintenance
from incidents.public_pages import LONGEST_TEXT, PublicWords, words_of
from incidents.queries.public_words import preview_of
from incidents.queries.silences import first_span, next_span
from incidents.services.maintenance import (
    cancel_maintenance,
    check_maintenance,
    plan,
    save_public_words,
)

_FIXED = "It cannot be changed: call it off, and plan it anew."
_WORDS = {"public_title": "title", "public_text": "text", "is_public": "is_shown"}


class MaintenancePreviewSerializer(serializers.Serializer[Any]):
    """All that the public would read; nothing was stored."""

    title = serializers.CharField(read_only=True)
    text = serializers.CharField(read_only=True)
    starts_at = serializers.DateTimeField(read_only=True)
    ends_at = serializers.DateTimeField(read_only=True)
    is_repeated = serializers.BooleanField(
        read_only=True, help_text="The times are those of what goes on or comes next."
    )
    components = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Empty: the page shows none of it."
    )
    is_shown = serializers.BooleanField(read_only=True)
    doubts = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What speaks against it."
    )
    is_stored = serializers.BooleanField(read_only=True, help_text="Always false.")


class MaintenanceSerializer(
    StrictFieldsMixin, VisibleServiceMixin, serializers.ModelSerializer[Maintenance]
):
    """Planned work on a service: nobody is called for it while it lasts."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())
    public_title = serializers.CharField(
        max_length=200, required=False, allow_blank=True, help_text="Empty: a neutral one."
    )
    public_text = serializers.CharField(
        max_length=LONGEST_TEXT, required=False, allow_blank=True, help_text="What users notice."
    )
    is_public = serializers.BooleanField(
        required=False,
        help_text="Shown on the status page, where it has a component of the service.",
    )
    preview = serializers.BooleanField(
        required=False,
        write_only=True,
        help_text="Store nothing; the answer (200) is what the public would read.",
    )
    is_active = serializers.SerializerMethodField(help_text="Whether it goes on now.")
    next_starts_at = serializers.SerializerMethodField(
        help_text="Beginning of what goes on, else of what comes next; null when nothing does."
    )

    class Meta:
        model = Maintenance
        fields = [
            "id",
            "service",
            "starts_at",
            "ends_at",
            "rule",
            "timezone",
            "comment",
            "excludes_budget",
            "public_title",
            "public_text",
            "is_public",
            "preview",
            "is_active",
            "next_starts_at",
            "created_by",
            "created_at",
            "cancelled_at",
        ]
        read_only_fields = ["created_by", "created_at", "cancelled_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._words: dict[int, PublicWords] = {}

    def get_is_active(self, row: Maintenance) -> bool:
        """Return whether an occurrence goes on."""
        span = next_span(row, now=now())
        return span is not None and span[0] <= now()

    def get_next_starts_at(self, row: Maintenance) -> datetime | None:
        """Return when the occurrence begins that goes on or comes next."""
        span = next_span(row, now=now())
        return span[0] if span else None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse to change what is planned: only its public words."""
        fixed = set(attrs) - {*_WORDS, "preview"} if self.instance else ()
        if fixed:
            raise serializers.ValidationError(dict.fromkeys(fixed, _FIXED))
        return attrs

    def to_representation(self, instance: Maintenance) -> dict[str, Any]:
        """Add what the public reads, asked of all rows of an answer at once."""
        if instance.pk not in self._words:
            beside: Any = self.parent.instance if self.parent else [instance]
            self._words = words_of([row.pk for row in beside])
        for name, own in _WORDS.items():
            setattr(instance, name, getattr(self._words[instance.pk], own))
        return super().to_representation(instance)

    def words(self) -> PublicWords:
        """Return what the public would read: what was sent, beside what it reads by now."""
        row: Any = self.instance
        before = words_of([row.pk])[row.pk] if row else PublicWords()
        return replace(before, **self._said())

    def would_be_public(self) -> dict[str, Any]:
        """Return all that the public would read."""
        row, at = self.instance, now()
        if row is None:
            row = Maintenance(**self._fields(), created_by="draft")
            check_maintenance(row, now=at)
            span = first_span(row, now=at)
        else:
            assert isinstance(row, Maintenance)
            span = next_span(row, now=at) or (row.starts_at, row.ends_at)
        found = asdict(preview_of(row, span, self.words()))
        return {**found, "is_stored": False}

    def create(self, validated_data: dict[str, Any]) -> Maintenance:
        """Create through the service."""
        actor = acting(self.context["request"])
        return plan(fields=self._fields(), words=self.words(), actor=actor, now=now())

    def update(self, instance: Maintenance, validated_data: dict[str, Any]) -> Maintenance:
        """Keep the public words through the service."""
        actor = acting(self.context["request"])
        self._words = {}
        save_public_words(instance, said=self._said(), actor=actor, now=now())
        return instance

    def _said(self) -> dict[str, Any]:
        sent = self.validated_data
        return {own: sent[name] for name, own in _WORDS.items() if name in sent}

    def _fields(self) -> dict[str, Any]:
        others = {*_WORDS, "preview"}
        return {name: value for name, value in self.validated_data.items() if name not in others}


class MaintenanceViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet[Maintenance],
):
    """Planned work; called off and never deleted. PATCH changes what the public reads of it, and nothing else."""

    queryset = Maintenance.objects.none()
    serializer_class = MaintenanceSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    search_fields = ["comment"]
    http_method_names = ("get", "post", "patch", "head", "options")

    def get_queryset(self) -> QuerySet[Maintenance]:
        """Only of services the caller may know of."""
        rows = Maintenance.objects.visible_to(signed_in(self.request))
        return rows.select_related("service").with_early_ends()

    @extend_schema(responses={200: MaintenancePreviewSerializer, 201: MaintenanceSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Plan work (201); with `"preview": true` nothing is stored (200)."""
        return self._kept(self.get_serializer(data=request.data), 201)

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change what the public reads; with `"preview": true` nothing is stored, and the answer is that."""
        row = self.get_object()
        return self._kept(self.get_serializer(row, data=request.data, partial=True), 200)

    @extend_schema(request=None, responses=MaintenanceSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str | None = None) -> Response:
        """Call it off: what is silent ends now, nothing follows."""
        row = cancel_maintenance(self.get_object(), actor=acting(request), now=now())
        return Response(self.get_serializer(row).data)

    def _kept(self, serializer: BaseSerializer[Maintenance], status: int) -> Response:
        """Store what was sent, or answer what would be public of it."""
        assert isinstance(serializer, MaintenanceSerializer)
        serializer.is_valid(raise_exception=True)
        if serializer.validated_data.get("preview"):
            return Response(MaintenancePreviewSerializer(serializer.would_be_public()).data)
        serializer.save()
        return Response(serializer.data, status)
