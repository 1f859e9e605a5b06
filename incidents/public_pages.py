"""What the public reads of maintenance, kept by whoever has a page for the public: this app does not know it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from catalog.models import Service
from core.audit import Who
from incidents.models import Maintenance

__all__ = [
    "LONGEST_TEXT",
    "NEUTRAL",
    "Page",
    "PublicWords",
    "parts_of",
    "provide",
    "save",
    "words_of",
]

LONGEST_TEXT = 6000
# What the public reads where nobody typed anything for it.
NEUTRAL = "Scheduled maintenance"


@dataclass(frozen=True)
class PublicWords:
    """What the public reads of maintenance beside its times.

    Args:
        title: Empty: a neutral one.
        text: What users notice; may be empty.
        is_shown: Whether the public sees it at all.
    """

    title: str = ""
    text: str = ""
    is_shown: bool = True


class Page(Protocol):
    """A page for the public."""

    def words_of(self, maintenance: Collection[int]) -> Mapping[int, PublicWords]:
        """Return the words of maintenance by key, where somebody said any; titles are never empty."""

    def parts_of(self, service: Service) -> Sequence[str]:
        """Return the names of what the page shows of a service's maintenance; empty: it shows none."""

    def save(
        self, maintenance: Maintenance, words: PublicWords, *, actor: Who, now: datetime
    ) -> None:
        """Keep words, within the transaction."""


_pages: list[Page] = []


def provide(page: Page) -> None:
    """Have a page keep the words; an app above calls it when it is ready."""
    if page not in _pages:
        _pages.append(page)


def words_of(maintenance: Collection[int]) -> dict[int, PublicWords]:
    """Return the public words of maintenance by key, neutral ones where nobody said any."""
    found = dict.fromkeys(maintenance, PublicWords(title=NEUTRAL))
    for page in _pages:
        found |= page.words_of(maintenance)
    return found


def parts_of(service: Service) -> list[str]:
    """Return the public names of what a service's maintenance concerns; empty: the public sees none of it."""
    return [name for page in _pages for name in page.parts_of(service)]


def save(maintenance: Maintenance, words: PublicWords, *, actor: Who, now: datetime) -> None:
    """Say what the public reads, within the caller's transaction; before any audit, as it locks the row.

    Raises:
        ValidationError: With the messages by field.
    """
    for page in _pages:
        page.save(maintenance, words, actor=actor, now=now)
