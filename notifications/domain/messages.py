"""What is sent, before any transport gives it its form."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifications.domain.digests import Entry, told, without_controls

__all__ = ["Message", "utf16_length"]

REPEAT = "Repeat, first send uncertain"
# What stands before each of several text messages: "(1/12) ".
_PLACE = 10


@dataclass(frozen=True)
class Message:
    """One message for one person or channel; its words have no control characters.

    Args:
        key: Identity of what must arrive; a repeat carries the same.
        subject: One line for a lock screen.
        text: The rest.
        url: The page it is about.
        act_url: Where the receiver acknowledges, bound to them; "" where nothing is asked.
        status_url: Where a provider that can tells what became of it; "" where nobody listens.
        answer_url: Where a provider of calls tells which key was pressed, as `act_url` is bound.
        is_repeat: A crash cut an earlier send, which may have arrived.
        entries: The incidents of a digest, the worst first; a transport that cannot carry the text
            names them as `digests.told` does.
        facts: The same for programs, as JSON.
    """

    key: str
    subject: str
    text: str = ""
    url: str = ""
    act_url: str = ""
    status_url: str = field(default="", kw_only=True)
    answer_url: str = field(default="", kw_only=True)
    is_repeat: bool = False
    entries: tuple[Entry, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subject = without_controls(" ".join(self.subject.split()))
        text = without_controls("\n".join(self.text.splitlines()))
        object.__setattr__(self, "subject", subject)
        object.__setattr__(self, "text", text)

    @property
    def is_urgent(self) -> bool:
        """Whether any of what it is about cannot wait; so is what is no page, a test for one."""
        pages = self.facts.get("pages", ())
        return not pages or any(page.get("urgency") != "low" for page in pages)

    @property
    def heading(self) -> str:
        """The subject, which says when it may be the second time."""
        return self._marked(self.subject)

    def texts(self, most: int) -> list[str]:
        """Return it as text messages: one, or as many as the numbers of a digest need.

        Args:
            most: Characters that one may have, as UTF-16 counts them.
        """
        link = self.act_url or self.url
        if not self.entries:
            return [_lines(self.heading[:200], link)]
        heading = self._marked(f"{len(self.entries)} incidents:")

        def whole(body: str) -> str:
            return _lines(heading, body, link)

        text = whole(told(self.entries, lambda body: utf16_length(whole(body)) <= most))
        if utf16_length(text) <= most:
            return [text]
        parts = textwrap.wrap(
            text,
            most - _PLACE,
            replace_whitespace=False,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [f"({number}/{len(parts)}) {part}" for number, part in enumerate(parts, 1)]

    def _marked(self, line: str) -> str:
        return f"[{REPEAT}] {line}" if self.is_repeat else line


def utf16_length(text: str) -> int:
    """Return how long providers take a text to be: an emoji counts as two."""
    return len(text.encode("utf-16-le")) // 2


def _lines(*parts: str) -> str:
    return "\n".join(part for part in parts if part)
