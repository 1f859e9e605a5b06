"""Access logs of AWS Application Load Balancers.

One line holds 29 fields or more, separated by spaces, some quoted; AWS adds new ones at the end:
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html

A processing time of -1 means that this step never happened: the request was not passed on to a
target, or the target did not answer. The client waited all the same, from the creation of the
request to the answer of the load balancer, and that time is its duration then.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from telemetry.domain.access_logs.lines import (
    SWITCHING_PROTOCOLS,
    LoggedRequest,
    NotUnderstood,
    request_line,
    shortened,
    status_code,
)

TYPES = frozenset({"http", "https", "h2", "grpcs", "ws", "wss"})
WEBSOCKETS = frozenset({"ws", "wss"})
# Some are absent in logs from before they existed; up to the request's creation all were there
# when timings were, and the last named here is the one that is read.
MIN_FIELDS = 13
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
_TIME = 1
_PROCESSING = slice(5, 8)
_ELB_STATUS = 8
_REQUEST = 12
_CREATED = 21
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z\Z")
_SECONDS = re.compile(r"-1(?:\.0+)?\Z|\d{1,7}(?:\.\d{1,9})?\Z")


def parse(line: str) -> LoggedRequest | None:
    """Return the request of a line, or None for a websocket.

    Raises:
        NotUnderstood: If it is not of this format, or holds an impossible time, status or duration.
    """
    fields = [quoted or plain for quoted, plain in _FIELD.findall(line)]
    if len(fields) < MIN_FIELDS or fields[0] not in TYPES:
        raise NotUnderstood(f"is not in the format of ALB logs: {shortened(line)}")
    if fields[0] in WEBSOCKETS or fields[_ELB_STATUS] == str(SWITCHING_PROTOCOLS):
        return None
    status = status_code(fields[_ELB_STATUS])
    at = _instant(fields[_TIME])
    method, target = request_line(fields[_REQUEST])
    return LoggedRequest(at, method, target, status, _duration_ms(fields, at))


def _duration_ms(fields: list[str], at: float) -> float:
    steps = [_seconds(text) for text in fields[_PROCESSING]]
    if -1 in steps and len(fields) > _CREATED and _ISO.match(fields[_CREATED]):
        return max(0.0, at - _instant(fields[_CREATED])) * 1000
    return sum(step for step in steps if step >= 0) * 1000


def _seconds(text: str) -> float:
    if not _SECONDS.match(text):
        raise NotUnderstood(f"{shortened(text)} is no processing time in seconds")
    return float(text)


@lru_cache(maxsize=4096)
def _instant(text: str) -> float:
    """Return seconds since 1970 of `2026-11-26T00:38:26.123456Z`."""
    wanted = "2026-11-26T00:38:26.123456Z"
    if not _ISO.match(text):
        raise NotUnderstood(f"{shortened(text)} is no time such as {wanted}")
    try:
        return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise NotUnderstood(f"{shortened(text)} is no time: {error}") from error
