"""What is sent, before any transport gives it its form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Message"]

REPEAT = "Repeat, first send uncertain"
# What XML cannot hold, providers refuse, or a terminal obeys; senders put it into titles all the same.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Message:
    """One message for one person or channel; its words have no control characters.

    Args:
        key: Identity of what must arrive; a repeat carries the same.
        subject: One line for a lock screen.
        text: The rest.
        url: The page it is about.
        act_url: Where the receiver acknowledges, bound to them; "" where nothing is asked.
        is_repeat: A crash cut an earlier send, which may have arrived.
        facts: The same for programs, as JSON.
    """

    key: str
    subject: str
    text: str = ""
    url: str = ""
    act_url: str = ""
    is_repeat: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subject = _CONTROLS.sub("", " ".join(self.subject.split()))
        text = _CONTROLS.sub("", "\n".join(self.text.splitlines()))
        object.__setattr__(self, "subject", subject)
        object.__setattr__(self, "text", text)

    @property
    def heading(self) -> str:
        """The subject, which says when it may be the second time."""
        return f"[{REPEAT}] {self.subject}" if self.is_repeat else self.subject

    @property
    def short(self) -> str:
        """All of it in what fits into a few text messages."""
        parts = [self.heading[:200], self.act_url or self.url]
        return "\n".join(part for part in parts if part)
