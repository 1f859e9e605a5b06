"""What serializers that name a service share."""

from typing import Any, TypeVar

from django.db.models import Model
from rest_framework import serializers

from accounts.models import User
from catalog.models import Service

__all__ = ["VisibleServiceMixin"]

Row = TypeVar("Row", bound=Model)


class VisibleServiceMixin(serializers.Serializer[Any]):
    """A service that the caller may not know of does not exist for them."""

    def validate_service(self, service: Service | None) -> Service | None:
        """Refuse a service as if there were none."""
        return service and self._seen(
            service, service.slug, Service.objects.visible_to(self._caller)
        )

    @property
    def _caller(self) -> User:
        caller: User = self.context["request"].user
        return caller

    def _seen(self, row: Row, slug: str, visible: Any) -> Row:
        if not visible.filter(pk=row.pk).exists():
            raise serializers.ValidationError(f"Object with slug={slug} does not exist.")
        return row
