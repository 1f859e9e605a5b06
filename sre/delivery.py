"""Deliver a report to a portal over HTTP, within a total deadline.

The standard library's timeouts hold for one read at a time, so a server that
dribbles bytes could keep a sender for hours; here every read gets only what is
left of the deadline. Redirects are not followed and proxies of the environment
are not used, so the token reaches the configured address and nobody else.

Errors:

    DeliveryError
    ├── UndeliveredError    try the same report again later
    └── RefusedError        the portal will never take this report
"""

import gzip
import http.client
import io
import ipaddress
import json
import logging
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

__all__ = ["DeliveryError", "HttpDelivery", "RefusedError", "UndeliveredError"]

logger = logging.getLogger(__name__)

INGEST_PATH = "/api/v1/telemetry/requests"
COMPRESS_FROM_BYTES = 4096
READ_AT_MOST_BYTES = 65_536
FOR_GOOD = frozenset({400, 409, 413, 415, 422})
"""Answers by which the portal refuses the content of a report, whatever the circumstances."""


class DeliveryError(Exception):
    """A report was not accepted."""


class UndeliveredError(DeliveryError):
    """The report may be accepted later; `retry_after` seconds if the portal said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(DeliveryError):
    """The portal will not accept this report, now or later."""


class HttpDelivery:
    """Posts reports to one portal.

    Args:
        portal_url: Where the portal is, such as `https://sre.example.org`.
        token: An API token with the scope `ingest`; it is never logged.

    Raises:
        ValueError: If the URL or the token cannot be used.
    """

    def __init__(self, portal_url: str, token: str) -> None:
        self._url = _checked_url(portal_url)
        self._path = self._url.path.rstrip("/") + INGEST_PATH
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token must be printable ASCII without spaces")
        self._authorization = f"Bearer {token}"
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        if self._tls is None and not _is_loopback(self._url.hostname):
            logger.warning("the portal is addressed by plain http: its token can be overheard")

    def deliver(self, body: bytes, *, key: str, timeout_s: float) -> int:
        """Post `body` once; `key` lets the portal recognise a repetition.

        Args:
            body: The report as JSON.
            key: Idempotency key, the same for every attempt with this body.
            timeout_s: Everything together may take this long (name resolution aside).

        Returns:
            How many rows the portal left out, for instance for being too old.

        Raises:
            UndeliveredError: If it may work later.
            RefusedError: If the portal will never take this body.
        """
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        if len(body) >= COMPRESS_FROM_BYTES:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers["Content-Encoding"] = "gzip"
        try:
            status, retry_after, answer = self._post(body, headers, time.monotonic() + timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise UndeliveredError(f"portal not reached: {error}") from error
        if status in FOR_GOOD:
            raise RefusedError(f"the portal answered {status}")
        if not 200 <= status < 300:
            raise UndeliveredError(f"the portal answered {status}", retry_after)
        return _rejected_in(answer)

    def _post(
        self, body: bytes, headers: dict[str, str], deadline: float
    ) -> tuple[int, float | None, bytes]:
        connection = self._connection(deadline)
        try:
            connection.request("POST", self._path, body, headers)
            with connection.getresponse() as response:
                # The answer counts only once it is complete: a connection cut off in the
                # middle of it may have been cut off before the portal committed.
                answer = response.read(READ_AT_MOST_BYTES)
                return response.status, _seconds(response.getheader("Retry-After")), answer
        finally:
            connection.close()

    def _connection(self, deadline: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._tls is None:
            return DeadlineConnection(host, port, deadline=deadline)
        return DeadlineTlsConnection(host, port, deadline=deadline, context=self._tls)


class DeadlineSocket:
    """A connected socket whose every operation ends by the deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline
        self._is_read_from = False

    def sendall(self, data: Any) -> None:
        """Send everything; the socket's timeout holds for the whole."""
        self._socket.settimeout(_left_until(self._deadline))
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader over what arrives."""
        self._is_read_from = True
        return io.BufferedReader(DeadlineReader(self._socket, self._deadline))

    def close(self) -> None:
        """Close the connection, unless an answer is still read from it: that closes it."""
        if not self._is_read_from:
            self._socket.close()


class DeadlineReader(io.RawIOBase):
    """The bytes that arrive on a socket until the deadline."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, waiting no longer than the deadline allows."""
        self._socket.settimeout(_left_until(self._deadline))
        return self._socket.recv_into(buffer)

    def close(self) -> None:
        """Close the connection with the answer."""
        super().close()
        self._socket.close()


class DeadlineConnection(http.client.HTTPConnection):
    """An HTTP connection that is over by its deadline."""

    def __init__(self, host: str, port: int | None, *, deadline: float) -> None:
        super().__init__(host, port, timeout=_left_until(deadline))
        self._deadline = deadline

    def connect(self) -> None:
        """Connect, and hold everything after it to the deadline."""
        super().connect()
        self.sock: Any = DeadlineSocket(self.sock, self._deadline)


class DeadlineTlsConnection(http.client.HTTPSConnection):
    """An HTTPS connection that is over by its deadline."""

    def __init__(
        self, host: str, port: int | None, *, deadline: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=_left_until(deadline), context=context)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect and shake hands, and hold everything after it to the deadline."""
        super().connect()
        self.sock: Any = DeadlineSocket(self.sock, self._deadline)


def _left_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline is over")
    return left


def _checked_url(portal_url: str) -> SplitResult:
    url = urlsplit(portal_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("portal_url must begin with http:// or https:// and name a host")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError("portal_url must not carry credentials, a query or a fragment")
    return url


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() else None


def _rejected_in(answer: bytes) -> int:
    try:
        count = json.loads(answer)["rejected_count"]
    except (ValueError, LookupError, TypeError):
        return 0
    return count if isinstance(count, int) else 0
