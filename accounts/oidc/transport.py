"""Talking to the issuer: JSON in, a total deadline, a bounded answer, no redirects, no proxies.

The address is the operator's own (`OIDC_ISSUER`) or one that this issuer named, so private networks
are allowed here: an issuer inside the company is the rule.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Timer
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from accounts.oidc.errors import IssuerError

# One sign-in asks the issuer up to four times, within the web server's 30 s for a request.
DEADLINE_S = 5.0
LARGEST_ANSWER = 256 * 1024


def fetch_json(
    address: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the JSON object at an address; with `form`, what a POST of it is answered.

    The deadline covers the whole exchange, however slowly the bytes come. Looking up the name is
    the system resolver's, which has limits of its own.

    Raises:
        IssuerError: No answer within `DEADLINE_S`, another status than 200, or no JSON object.
    """
    parts = urlsplit(address)
    try:
        status, body = _exchange(parts, form=form, headers=headers or {})
    except (OSError, HTTPException, ValueError) as error:
        raise IssuerError(f"{parts.hostname} did not answer.") from error
    if status != 200:
        raise IssuerError(f"{parts.hostname}{parts.path} answered {status}.")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IssuerError(f"{parts.hostname}{parts.path} answered no JSON.") from error
    if not isinstance(answer, dict):
        raise IssuerError(f"{parts.hostname}{parts.path} answered no JSON object.")
    return answer


def _exchange(
    parts: SplitResult, *, form: Mapping[str, str] | None, headers: Mapping[str, str]
) -> tuple[int, bytes]:
    ends_at = monotonic() + DEADLINE_S
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=DEADLINE_S)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    body = None if form is None else urlencode(form)
    sent = {"Accept": "application/json", **headers}
    if body is not None:
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.connect()
        with _cut_off(connection.sock, at=ends_at):
            connection.request("GET" if body is None else "POST", target, body, sent)
            with connection.getresponse() as answer:
                received = answer.read(LARGEST_ANSWER + 1)
    finally:
        connection.close()
    if monotonic() >= ends_at:
        raise TimeoutError("the exchange took longer than its deadline")
    if len(received) > LARGEST_ANSWER:
        raise ValueError("the answer is larger than any issuer's")
    return answer.status, received


@contextmanager
def _cut_off(connected: socket.socket, *, at: float) -> Iterator[None]:
    # Timeouts of sockets count from byte to byte; only closing from outside ends a trickle.
    def cut() -> None:
        # Not the TLS socket's own `shutdown`, which would take its state away from the reader.
        with suppress(OSError):  # the exchange may have ended just now
            socket.socket.shutdown(connected, socket.SHUT_RDWR)

    watchdog = Timer(max(at - monotonic(), 0), cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()
