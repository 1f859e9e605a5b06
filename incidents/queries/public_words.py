"""What the public would read of maintenance, before it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from incidents.models import Maintenance
from incidents.public_pages import NEUTRAL, PublicWords, parts_of

__all__ = ["Preview", "preview_of"]


@dataclass(frozen=True)
class Preview:
    """All that the public would read; nothing was kept.

    Args:
        title: As it is shown.
        text: The same; may be empty.
        starts_at: When it begins.
        ends_at: When it ends.
        is_repeated: Whether there are others of it.
        components: What it concerns, by their public names; empty: the page shows none of it.
        is_shown: Whether somebody wants it shown.
        doubts: What speaks against it, as sentences.
    """

    title: str
    text: str
    starts_at: datetime
    ends_at: datetime
    is_repeated: bool
    components: Sequence[str]
    is_shown: bool
    doubts: Sequence[str]

    @property
    def is_public(self) -> bool:
        """Whether anybody outside would read it."""
        return self.is_shown and bool(self.components)


def preview_of(row: Maintenance, span: tuple[datetime, datetime], words: PublicWords) -> Preview:
    """Return what the public would read.

    Args:
        row: Stored, or as it would be.
        span: When the occurrence begins that goes on or comes next, and when it ends.
        words: What would be kept.
    """
    doubts = []
    if row.service.is_private and words.is_shown:
        doubts.append(f"{row.service} is private here: this tells everybody that it is worked on.")
    return Preview(
        title=words.title.strip() or NEUTRAL,
        text=words.text.strip(),
        starts_at=span[0],
        ends_at=span[1],
        is_repeated=bool(row.rule),
        components=parts_of(row.service),
        is_shown=words.is_shown,
        doubts=doubts,
    )
