"""When a sign of life is overdue: the dead man's switch, by arithmetic alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

__all__ = ["DEFAULTS", "Expected", "Sign", "due_after", "sign_of"]


class Sign(StrEnum):
    """What a ping says."""

    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True)
class Expected:
    """How often a sign of life is expected.

    Args:
        period: From one to the next.
        grace: How much later it may come before somebody is told.
    """

    period: timedelta
    grace: timedelta


# What a heartbeat is made with when its first ping arrives; edited afterwards.
DEFAULTS = {
    "alertmanager": Expected(timedelta(minutes=15), timedelta(minutes=5)),
    "grafana": Expected(timedelta(minutes=15), timedelta(minutes=5)),
    "opsgenie": Expected(timedelta(minutes=10), timedelta(minutes=1)),
    "healthchecks": Expected(timedelta(days=1), timedelta(hours=1)),
}


def due_after(sign: Sign, at: datetime, expected: Expected) -> datetime:
    """Return when somebody is told unless another sign comes: a run that started must end in time."""
    return at + (expected.grace if sign is Sign.START else expected.period + expected.grace)


def sign_of(word: str) -> Sign | None:
    """Return what the end of a ping's address says: "", start, fail, log, or an exit status."""
    if word.isascii() and word.isdigit() and int(word) <= 255:
        return Sign.FAIL if int(word) else Sign.SUCCESS
    return {"": Sign.SUCCESS, "start": Sign.START, "fail": Sign.FAIL, "log": Sign.LOG}.get(word)
