"""A server on loopback that misbehaves as a test wants."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[[socket.socket, bytes], None]


@dataclass
class Outside:
    """Where it listens, and the requests that came."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address on loopback."""
        return f"http://127.0.0.1:{self.port}"


def plain(body: bytes = b"ok", *, status: str = "200 OK", headers: str = "") -> Answer:
    """Return an answer with a body and its length."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    return lambda connection, _request: connection.sendall(head + body)


@contextmanager
def outside(answer: Answer, host: str = "127.0.0.1") -> Iterator[Outside]:
    """Answer every request on a free port until the block ends."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    found = Outside(listener.getsockname()[1])
    stopped = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            request = b""
            while b"\r\n\r\n" not in request and (part := connection.recv(65536)):
                request += part
            found.requests.append(request)
            try:
                answer(connection, request)
            except OSError:
                return  # the client went away, as some tests want

    def accept() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield found
    stopped.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
