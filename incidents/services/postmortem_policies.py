"""Policies of postmortems: from when on a severity asks for one is written down, as that counts for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import transaction

from core.audit import Act, Who, record_all
from incidents.queries.postmortems import SWITCHED_ON, demands, switching

__all__ = ["telling_of_switches"]

_SWITCHED_OFF = "postmortem_policy.switched_off"


@contextmanager
def telling_of_switches(*, now: datetime, actor: Who) -> Iterator[None]:
    """Write down for which severities a change of the policies switches postmortems on or off.

    Whatever the change is, in one transaction with it: a row is made, changed, moved to another
    severity, or deleted so that the default holds again.
    """
    with transaction.atomic():
        before = demands()
        yield
        acts = [
            Act(SWITCHED_ON if each.is_required else _SWITCHED_OFF, switching(severity), actor)
            for severity, each in demands().items()
            if each.is_required != before[severity].is_required
        ]
        record_all(acts, now=now)
