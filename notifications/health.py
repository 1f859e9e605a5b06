"""For `/health`: can the addresses by which people are called be opened with the keys that are set?"""

import time
from collections.abc import Callable
from datetime import datetime

from cryptography.fernet import InvalidToken

from core import encryption
from core.health import CheckResult, Status
from notifications.models import ContactMethod

__all__ = ["AddressCheck"]

# Keys change with a restart, and what is stored meanwhile is stored under them.
KEEP_S = 300.0


class AddressCheck:
    """Opens every address, and remembers for minutes what came of it.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: CheckResult | None = None
        self._look_at = float("-inf")

    def __call__(self, _now: datetime) -> CheckResult:
        """Return whether all can be used; else the portal is degraded: the others are called."""
        if self._kept is None or self._clock() >= self._look_at:
            self._kept = _found()
            self._look_at = self._clock() + KEEP_S
        return self._kept


def _found() -> CheckResult:
    sealed = ContactMethod.objects.usable().values_list("sealed_address", "sealed_secret")
    closed = sum(not _opens(*values) for values in sealed.iterator())
    if closed:
        return CheckResult(
            Status.DEGRADED,
            f"no key opens {closed} of them, by which nobody is called: see `manage.py doctor`",
        )
    return CheckResult(Status.HEALTHY, "the keys that are set open all of them")


def _opens(*values: str) -> bool:
    try:
        for value in filter(None, values):
            encryption.decrypt(value)
    except InvalidToken:
        return False
    return True
