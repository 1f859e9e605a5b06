"""Whether demonstration traffic is on, and what happens when someone removes it.

The switch is one row, so it outlives restarts. The traffic generator itself watches a file in the
data folder, because it must not cost a database connection.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction

from core import audit
from core.models import DemoMode

EMAIL_DOMAIN = "demo.example"
FAULT_HEADER = "X-Demo-Fault"

Cleaner = Callable[[], object]

_CLEANERS: list[Cleaner] = []


def on_removal(cleaner: Cleaner) -> None:
    """Have `cleaner()` delete what demonstration traffic made in its app, when it is removed."""
    if cleaner not in _CLEANERS:
        _CLEANERS.append(cleaner)


def may_be_on() -> bool:
    """Return whether the settings allow it at all; no query is spent where they do not."""
    return settings.DEMO == "1" or (settings.DEMO != "0" and settings.EMBEDDED)


def is_on() -> bool:
    """Return whether this portal shows demonstration traffic."""
    return may_be_on() and DemoMode.objects.filter(pk=DemoMode.ONLY, removed_at=None).exists()


def settle(*, now: datetime) -> bool:
    """Decide at start whether the demonstration is on, remember it, and return it.

    `DEMO=1` switches it on at every start, `0` keeps it off, `auto` switches it on at the first
    start of an embedded portal and leaves an earlier decision alone, one by `0` too.
    """
    if settings.DEMO == "1":
        DemoMode.objects.update_or_create(
            pk=DemoMode.ONLY, defaults={"removed_at": None}, create_defaults={"started_at": now}
        )
    elif settings.DEMO == "0":
        DemoMode.objects.get_or_create(
            pk=DemoMode.ONLY, defaults={"started_at": now, "removed_at": now}
        )
    elif may_be_on():
        DemoMode.objects.get_or_create(pk=DemoMode.ONLY, defaults={"started_at": now})
    return is_on()


@transaction.atomic
def remove(*, now: datetime, actor: audit.Actor) -> bool:
    """Switch the demonstration off, delete what it made and stop the generator.

    Returns:
        False when it was off already.
    """
    if not DemoMode.objects.filter(pk=DemoMode.ONLY, removed_at=None).update(removed_at=now):
        return False
    for cleaner in _CLEANERS:
        cleaner()
    audit.record(act="demo.removed", subject="core.demomode:1", actor=actor, now=now)
    transaction.on_commit(partial(settings.DEMO_SWITCH.unlink, missing_ok=True))
    return True
