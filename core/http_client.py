"""The one way out: every HTTP request that the portal makes to an address somebody typed.

The name is resolved once, every answer is judged (`core.addresses`), and the connection goes to a
judged address, so that a second resolution cannot lead elsewhere. Host header, SNI and certificate
stay those of the name. Redirects are not followed, proxies and credentials of the environment are
not used, and the time limit covers everything from the resolution to the last byte.

    OutboundError
    ├── Refused       the address may not be asked; nothing was sent
    ├── NotResolved   the name leads nowhere; `ours` when our resolver did not answer
    ├── Unreachable   no connection; `ours` when this machine has no way out
    ├── TimedOut      the time limit passed
    ├── AnswerTooLarge  more bytes than are read
    └── BadAnswer     not HTTP, or an encoding that was not asked for
"""

import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

from core.addresses import Grant, Target, networks_by_feature, parse, refusal

__all__ = [
    "BODY_CAP",
    "QUERY_BODY_CAP",
    "AnswerTooLarge",
    "BadAnswer",
    "Deadline",
    "NotResolved",
    "OutboundError",
    "Refused",
    "Response",
    "TimedOut",
    "Unreachable",
    "check_address",
    "judge",
    "request",
    "resolve_within",
]

BODY_CAP = 64 * 1024
# Answers of query sources: some hundred series over an hour.
QUERY_BODY_CAP = 16 * 1024 * 1024
USER_AGENT = "sreportal"
_NO_WAY_OUT = {errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE}

Resolved = list[str]
Resolver = Callable[[str, int], Resolved]
_MOST_LOOK_UPS = 32
_LOOK_UPS: dict[tuple[str, int], Future[Resolved]] = {}
_LOOK_UPS_LOCK = threading.Lock()


class OutboundError(Exception):
    """A request that got no usable answer; the message is for people and holds no secret.

    Args:
        message: What went wrong.
        ours: Whether the reason lies with the portal, not with whom it asked.
        sent: Whether any of the request left, so that it may have been understood.
    """

    def __init__(self, message: str, *, ours: bool = False, sent: bool = False) -> None:
        super().__init__(message)
        self.ours, self.sent = ours, sent


class Refused(OutboundError):
    """The address may not be asked; nothing was sent."""


class NotResolved(OutboundError):
    """The host's name leads nowhere."""


class Unreachable(OutboundError):
    """No connection, or one that broke."""


class TimedOut(OutboundError):
    """The time limit passed before the answer was complete."""


class AnswerTooLarge(OutboundError):
    """The answer is larger than what is read."""


class BadAnswer(OutboundError):
    """What came back cannot be read as HTTP."""


@dataclass(frozen=True)
class Response:
    """An answer, whatever its status.

    Args:
        status: HTTP status.
        headers: By lower-case name.
        body: Up to the cap.
        elapsed_ms: From the resolution to the last byte read.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_ms: float


class Deadline:
    """A moment after which nothing is waited for any more."""

    def __init__(self, seconds: float) -> None:
        self.started = time.monotonic()
        self.ends = self.started + seconds

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since it began."""
        return (time.monotonic() - self.started) * 1000

    def left(self) -> float:
        """Return the seconds left.

        Raises:
            TimedOut: When there are none.
        """
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimedOut("The time limit passed.")
        return left


def request(
    url: str,
    *,
    feature: str,
    deadline: Deadline,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    body_cap: int = BODY_CAP,
    truncate: bool = False,
    verify: bool = True,
) -> Response:
    """Send one request and return its answer, whatever its status.

    Args:
        url: http or https.
        feature: Name under which an admin may have granted private networks.
        deadline: Total time limit.
        method: HTTP method.
        headers: Sent besides Host, User-Agent and Accept-Encoding.
        content: Body.
        body_cap: Most bytes read.
        truncate: Stop reading at the cap instead of refusing the answer.
        verify: Whether the certificate must hold.

    Raises:
        OutboundError: One of its kinds; see the module.
    """
    target = _target(url)
    line = _GuardedBackend(_judged(target.host, target.port, feature, deadline), deadline)
    try:
        with (
            _client(line, deadline, verify=verify) as client,
            client.stream(
                method, url, headers=_headers(headers), content=content, follow_redirects=False
            ) as answer,
        ):
            body = _read(answer, body_cap, truncate, deadline)
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Response(answer.status_code, found, body, deadline.elapsed_ms)
    except OutboundError as error:
        error.sent = line.is_used
        raise
    except httpx.TimeoutException as error:
        raise TimedOut("The time limit passed.", sent=line.is_used) from error
    except (httpx.ConnectError, httpx.NetworkError) as error:
        found_out = _unreachable(error)
        found_out.sent = line.is_used
        raise found_out from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
        said = f"The answer is no valid HTTP ({type(error).__name__})."
        raise BadAnswer(said, sent=line.is_used) from error


def check_address(url: str, *, feature: str) -> str:
    """Return why `url` could never be asked, without resolving a name; empty when it could."""
    try:
        target = _target(url)
        numeric = target.host.replace(".", "").isdecimal() or ":" in target.host
        if numeric:
            _refuse_any([target.host], target.port, feature)
    except OutboundError as error:
        return str(error)
    return ""


def judge(url: str, *, feature: str, deadline: Deadline) -> None:
    """Refuse what may not be asked, where another library does the asking.

    It resolves the name itself afterwards, so this holds back mistakes, not a hostile name server.

    Raises:
        OutboundError: Refused, or the name leads nowhere.
    """
    target = _target(url)
    _judged(target.host, target.port, feature, deadline)


def grant_of(feature: str) -> Grant:
    """Return what the settings open to a feature."""
    granted = networks_by_feature(settings.OUTBOUND_ALLOW)
    return Grant(
        networks=granted.get(feature, ()),
        ports=frozenset(settings.OUTBOUND_PORTS),
        any_loopback_port=settings.EMBEDDED,
    )


def _target(url: str) -> Target:
    try:
        return parse(url)
    except ValueError as error:
        raise Refused(f"The address {error}.", ours=True) from error


def _judged(host: str, port: int, feature: str, deadline: Deadline) -> Resolved:
    """Resolve once and return the addresses, or refuse when one of them may not be asked."""
    found = resolve_within(host, port, deadline)
    _refuse_any(found, port, feature)
    return found


def _refuse_any(addresses: Iterable[str], port: int, feature: str) -> None:
    grant = grant_of(feature)
    for address in addresses:
        if reason := refusal(address, port, grant):
            hint = (
                f" An admin may open more: OUTBOUND_ALLOW={feature}=<network>, OUTBOUND_PORTS"
                f"={port}."
            )
            raise Refused(f"Not asked: {reason}.{hint}", ours=True)


def resolve(host: str, port: int) -> Resolved:
    """Return every address of `host`, in the resolver's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@lru_cache(maxsize=1)
def _resolvers() -> ThreadPoolExecutor:
    # The system's resolver takes no time limit, so it is waited for from outside.
    return ThreadPoolExecutor(max_workers=_MOST_LOOK_UPS, thread_name_prefix="resolve")


def _look_up(host: str, port: int) -> Future[Resolved]:
    """Return the look-up of a host that runs, or begin one.

    Whoever asks for the same host joins: a name server that does not answer for it keeps one thread
    from others, however often it is asked.
    """
    with _LOOK_UPS_LOCK:
        for ended in [of for of, look_up in _LOOK_UPS.items() if look_up.done()]:
            del _LOOK_UPS[ended]
        found = _LOOK_UPS.get((host, port))
        if found is None:
            found = _LOOK_UPS[host, port] = _resolvers().submit(resolve, host, port)
        return found


def resolve_within(host: str, port: int, deadline: Deadline) -> Resolved:
    """Return every address of a host, whatever it is, or give up in time.

    Raises:
        NotResolved: The name leads nowhere, or nobody said so in time.
    """
    try:
        return _look_up(host, port).result(timeout=deadline.left())
    except FutureTimeout as error:
        raise NotResolved(f"No answer where {host} is.", ours=True) from error
    except socket.gaierror as error:
        ours = error.errno in {socket.EAI_AGAIN, socket.EAI_SYSTEM, socket.EAI_MEMORY}
        raise NotResolved(f"The name {host} leads nowhere.", ours=ours) from error
    except (UnicodeError, OSError) as error:
        raise NotResolved(f"The name {host} cannot be resolved.") from error


class _GuardedStream(httpcore.NetworkStream):
    """A connection on which no wait outlasts the deadline, however slowly bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream, line: "_GuardedBackend") -> None:
        self._stream, self._line, self._deadline = stream, line, line.deadline

    def _left(self, timeout: float | None) -> float:
        try:
            left = self._deadline.left()
        except TimedOut as error:
            raise httpcore.ReadTimeout from error
        return left if timeout is None else min(timeout, left)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = self._left(timeout)
        self._line.is_used = True
        self._stream.write(buffer, left)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _GuardedStream(inner, self._line)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.SyncBackend):
    """Connects to the judged addresses, whatever name the request has.

    `is_used` says whether anything was written, the handshake of TLS aside.
    """

    def __init__(self, addresses: Resolved, deadline: Deadline) -> None:
        self._addresses, self.deadline = addresses, deadline
        self.is_used = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        for address in self._addresses:
            try:
                stream = super().connect_tcp(address, port, self.deadline.left())
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            except TimedOut as error:
                raise httpcore.ConnectTimeout from (failed or error)
            else:
                return _GuardedStream(stream, self)
        raise failed or httpcore.ConnectError("no address")


@lru_cache(maxsize=2)
def _tls(*, verify: bool) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=verify, trust_env=False)


class _GuardedTransport(httpx.HTTPTransport):
    """httpx's transport on guarded connections, each used for one request."""

    def __init__(self, line: _GuardedBackend, *, verify: bool) -> None:
        super().__init__(verify=_tls(verify=verify), trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(verify=verify), max_keepalive_connections=0, network_backend=line
        )


def _client(line: _GuardedBackend, deadline: Deadline, *, verify: bool) -> httpx.Client:
    return httpx.Client(
        transport=_GuardedTransport(line, verify=verify),
        trust_env=False,
        timeout=deadline.left(),
    )


def _headers(given: Mapping[str, str] | None) -> dict[str, str]:
    # A compressed answer could be a thousand times larger than what was read.
    own = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    return own | dict(given or {})


def _read(answer: httpx.Response, cap: int, truncate: bool, deadline: Deadline) -> bytes:
    if answer.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
        raise BadAnswer("The answer is compressed, which was not asked for.")
    body = bytearray()
    for chunk in answer.iter_raw():
        body += chunk
        deadline.left()
        if len(body) > cap and truncate:
            return bytes(body[:cap])
        if len(body) > cap:
            raise AnswerTooLarge(f"The answer is larger than {cap // 1024} KiB.")
    return bytes(body)


def _unreachable(error: Exception) -> OutboundError:
    """Say in words why there is no connection, and whose fault it is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unreachable(f"Its certificate does not hold: {cause.verify_message}.")
        if isinstance(cause, ssl.SSLError):
            return Unreachable("TLS could not be agreed on.")
        if isinstance(cause, OSError) and cause.errno:
            ours = cause.errno in _NO_WAY_OUT
            return Unreachable(f"No connection: {errno_text(cause.errno)}.", ours=ours)
        cause = cause.__cause__ or cause.__context__
    return Unreachable("The connection broke.")


def errno_text(number: int) -> str:
    """Return an operating system's error in words, e.g. connection refused."""
    return os.strerror(number).lower()
