"""Contact methods that are switched off and on again, by their owners or because they have ended."""

from datetime import datetime

from django.db import transaction

from core import audit
from core.audit import Who
from core.locking import lock
from notifications.models import ContactMethod

__all__ = ["end_method", "set_enabled"]


@transaction.atomic
def set_enabled(method: ContactMethod, *, enabled: bool, actor: Who, now: datetime) -> None:
    """Switch a method on or off; one that is off is not used.

    Raises:
        NotFound: It was removed meanwhile.
    """
    lock(method)
    if method.is_enabled == enabled:
        return
    method.is_enabled = enabled
    method.save(update_fields=["is_enabled", "updated_at"])
    act = f"contact_method.{'enabled' if enabled else 'disabled'}"
    audit.record(act=act, subject=method, actor=actor, now=now)


@transaction.atomic
def end_method(number: int, *, now: datetime) -> None:
    """Switch off a method whose provider says that it has ended, so that others are used instead."""
    method = ContactMethod.objects.filter(pk=number).first()
    if method is not None:
        set_enabled(method, enabled=False, actor=None, now=now)
