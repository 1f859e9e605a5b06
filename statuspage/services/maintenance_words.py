"""Public words of maintenance, for the app that plans it and knows no public page."""

from collections.abc import Collection
from datetime import datetime

from catalog.models import Service
from core.audit import Who
from incidents.models import Maintenance
from incidents.public_pages import PublicWords
from statuspage.models import Component, PublicMaintenance
from statuspage.services.components import save_public_maintenance

__all__ = ["StatusPage"]


class StatusPage:
    """The page that keeps them."""

    def words_of(self, maintenance: Collection[int]) -> dict[int, PublicWords]:
        """Return the words of maintenance by key, where somebody said any."""
        rows = PublicMaintenance.objects.filter(maintenance__in=maintenance)
        return {row.maintenance_id: PublicWords(row.title, row.text, row.is_shown) for row in rows}

    def parts_of(self, service: Service) -> list[str]:
        """Return the names of the components that show a service's maintenance."""
        rows = Component.objects.shown().filter(service=service, shows_maintenance=True)
        return [row.name for row in rows]

    def save(
        self, maintenance: Maintenance, words: PublicWords, *, actor: Who, now: datetime
    ) -> None:
        """Keep words; nothing is kept where none were said.

        Raises:
            ValidationError: With the messages by field.
        """
        fields = {
            "title": words.title.strip() or PublicMaintenance.UNTITLED,
            "text": words.text.strip(),
            "is_shown": words.is_shown,
        }
        row = PublicMaintenance.objects.filter(maintenance=maintenance).first()
        neutral = {"title": PublicMaintenance.UNTITLED, "text": "", "is_shown": True}
        if row is None and fields == neutral:
            return
        said = fields if row else {**fields, "maintenance": maintenance}
        save_public_maintenance(row or PublicMaintenance(), fields=said, actor=actor, now=now)
