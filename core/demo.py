"""Whether demonstration traffic is on, and what happens when someone removes it.

The switch is one row, so it outlives restarts. The traffic generator itself watches a file in the
data folder, because it must not cost a database connection.
"""

from collections.abc import Callable
from datetime import datetime

from django.conf import settings

from core.models import DemoMode

EMAIL_DOMAIN = "demo.example"
FAULT_HEADER = "X-Demo-Fault"

Cleaner = Callable[[], None]

_CLEANERS: list[Cleaner] = []


def on_removal(cleaner: Cleaner) -> None:
    """Have `cleaner()` delete what demonstration traffic made in its app, when it is removed."""
    if cleaner not in _CLEANERS:
        _CLEANERS.append(cleaner)


def is_on() -> bool:
    """Return whether this portal shows demonstration traffic."""
    if settings.DEMO == "0":
        return False
    return DemoMode.objects.filter(pk=DemoMode.ONLY, removed_at__isnull=True).exists()


def settle(*, now: datetime) -> bool:
    """Decide at start whether the demonstration is on, remember it, and return it.

    `DEMO=1` switches it on for good, `0` keeps it off for this start, `auto` switches it on at the
    first start of an embedded portal and leaves an earlier decision alone.
    """
    if settings.DEMO == "0":
        return False
    if settings.DEMO == "1":
        DemoMode.objects.update_or_create(
            pk=DemoMode.ONLY, defaults={"removed_at": None}, create_defaults={"started_at": now}
        )
    elif settings.EMBEDDED:
        DemoMode.objects.get_or_create(pk=DemoMode.ONLY, defaults={"started_at": now})
    return is_on()


def remove(*, now: datetime) -> None:
    """Switch the demonstration off and delete what it made; must run inside a transaction."""
    DemoMode.objects.filter(pk=DemoMode.ONLY, removed_at__isnull=True).update(removed_at=now)
    for cleaner in _CLEANERS:
        cleaner()
