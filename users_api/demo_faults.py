"""Faults that the demonstration's traffic asks for, so that a fresh portal has something to show.

`X-Demo-Fault: error` is answered 503 without touching any data, `X-Demo-Fault: slow` is answered
300 to 600 ms late. Both count like real traffic. They are honoured only while `is_enabled()` says
that the demonstration is on; otherwise the header means nothing.
"""

import random
import time
from collections.abc import Callable

from core.errors import Unavailable

HEADER = "X-Demo-Fault"
SLOW_S = (0.3, 0.6)


class DemoFault(Unavailable):
    """The failure that a demonstration request asked for."""

    code = "demo_fault"


def never() -> bool:
    """Keep faults off; the portal puts its own switch in place of this."""
    return False


is_enabled: Callable[[], bool] = never


def inject(fault: str | None) -> None:
    """Do what the header asks for, when the demonstration is on.

    Raises:
        DemoFault: For `error`.
    """
    if fault not in {"error", "slow"} or not is_enabled():
        return
    if fault == "error":
        raise DemoFault("This failure was asked for by the demonstration.", retry_after_s=1)
    time.sleep(random.uniform(*SLOW_S))  # noqa: S311 a delay, not a secret
