"""Slots by which a lower app's page shows something of a higher app, without importing it.

A higher app registers a URL name for a slot in its `AppConfig.ready()`; the page renders each as
`<div hx-get="…" hx-trigger="load">`.
"""

from collections import defaultdict
from typing import Any

from django.urls import reverse

_SLOTS: dict[str, list[str]] = defaultdict(list)


def register(slot: str, url_name: str) -> None:
    """Show the page fragment at `url_name` in `slot`; registering twice changes nothing."""
    if url_name not in _SLOTS[slot]:
        _SLOTS[slot].append(url_name)


def urls(slot: str, *args: Any) -> list[str]:
    """Return the addresses of a slot's fragments, reversed with `args`."""
    return [reverse(name, args=args) for name in _SLOTS[slot]]
