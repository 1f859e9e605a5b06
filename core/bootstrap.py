"""Default objects that a fresh portal needs, each created by the app that owns it.

An app registers its creator in `AppConfig.ready()`; `manage.py bootstrap` runs all of them at every
start, in the order of registration, so a creator must find what it made before and leave it alone.
"""

from datetime import datetime
from typing import Protocol


class Creator(Protocol):
    """Creates what is missing at `now`."""

    def __call__(self, *, now: datetime) -> None: ...


_CREATORS: list[Creator] = []


def register(creator: Creator) -> None:
    """Have `creator(now=…)` called at every bootstrap; registering twice changes nothing."""
    if creator not in _CREATORS:
        _CREATORS.append(creator)


def run(*, now: datetime) -> None:
    """Call every registered creator."""
    for creator in _CREATORS:
        creator(now=now)
