"""Does Redis take messages? Asked by hand: client libraries try again for seconds before they say."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit

__all__ = ["refusal"]

_PORT = 6379
_QUEUE = "celery"
_LONGEST = 64 * 1024


def refusal(url: str, *, timeout_s: float) -> str:
    """Return how Redis refuses a message, in its own word such as OOM or READONLY; "" where it takes one.

    The message is never sent: whether it would be refused is told when it is queued. Behind TLS it
    is only seen that somebody is there.

    Args:
        url: As Celery has it.
        timeout_s: How long each answer is waited for.

    Raises:
        OSError: Nobody is there, or nobody answers.
    """
    address = urlsplit(url)
    with _connection(address, timeout_s) as connection:
        connection.settimeout(timeout_s)
        if address.scheme == "rediss":
            connection.sendall(b"PING\r\n")
            # TLS starts with other words, and may hang up on these.
            with suppress(ConnectionResetError):
                connection.recv(1)
            return ""
        asked = list(_questions(address))
        connection.sendall(b"".join(map(_encoded, asked)))
        for answer in _lines(connection, len(asked)):
            if answer.startswith(b"-"):
                return answer[1:].partition(b" ")[0].decode("ascii", "replace").strip()
    return ""


def _questions(address: SplitResult) -> Iterator[tuple[str, ...]]:
    given = (unquote(part) for part in (address.username, address.password) if part)
    if address.password:
        yield ("AUTH", *given)
    yield from (("MULTI",), ("LPUSH", _QUEUE, ""), ("DISCARD",))


def _encoded(words: tuple[str, ...]) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(p), p) for p in parts)


def _lines(connection: socket.socket, count: int) -> Iterator[bytes]:
    received = b""
    for _ in range(count):
        while b"\r\n" not in received:
            piece = connection.recv(_LONGEST)
            if not piece or len(received) > _LONGEST:
                raise ConnectionResetError("the broker hung up")
            received += piece
        line, _, received = received.partition(b"\r\n")
        yield line


def _connection(address: SplitResult, timeout_s: float) -> socket.socket:
    if not address.scheme.endswith("+socket"):
        host, port = address.hostname or "localhost", address.port or _PORT
        return socket.create_connection((host, port), timeout=timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout_s)
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection
