"""`/api/v1/annotations/`."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import mixins, serializers, viewsets

from accounts.access import signed_in
from accounts.roles import Role
from catalog.models import Service
from core.api import StrictFieldsMixin
from core.clock import now
from slo.api.fields import VisibleOnlyMixin
from slo.models import Annotation
from slo.services import annotations


class AnnotationSerializer(
    StrictFieldsMixin, VisibleOnlyMixin, serializers.ModelSerializer[Annotation]
):
    """Something that happened to a service. With a known `key` it changes the one there is."""

    service = serializers.SlugRelatedField(slug_field="slug", queryset=Service.objects.all())

    class Meta:
        model = Annotation
        fields = ["id", "service", "kind", "title", "url", "key", "starts_at", "ends_at"]
        # A known key is no mistake here; the model's own checks name the other fields.
        validators: list[Any] = []

    def create(self, validated_data: dict[str, Any]) -> Annotation:
        """Write it down through the service, which writes the audit."""
        actor = self.context["request"].user
        return annotations.annotate(actor=actor, now=now(), **validated_data)


class AnnotationViewSet(
    mixins.CreateModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[Annotation],
):
    """Deploys, incidents, chaos runs and notes on the time line of a service."""

    queryset = Annotation.objects.none()
    serializer_class = AnnotationSerializer
    read_role = Role.VIEWER
    write_role = Role.RESPONDER
    search_fields = ["title", "service__slug"]

    def get_queryset(self) -> QuerySet[Annotation]:
        """Only of services the caller may know of."""
        visible = Service.objects.visible_to(signed_in(self.request)).values("pk")
        return Annotation.objects.filter(service__in=visible).select_related("service")

    def perform_destroy(self, instance: Annotation) -> None:
        """Remove through the service, which writes the audit."""
        annotations.remove(instance, actor=signed_in(self.request), now=now())
