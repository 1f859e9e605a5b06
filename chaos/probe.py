"""Asking the target how it is, as a caller would."""

import contextlib
import http.client
import socket
import ssl
import time

from chaos.domain.steady_state import Sample, Tolerance
from chaos.domain.target import Target

__all__ = ["Address", "HttpProbe", "observe"]

Address = tuple[str, int]
# A good answer comes long before; what hangs must not hold the run.
TIMEOUT_S = 10.0


class HttpProbe:
    """GETs the target, over another address where a fault sits in between.

    Args:
        target: What is asked.
        via: Where to connect instead of to the target itself.
        retries: Further tries after a torn connection, as callers with any sense make them.
    """

    def __init__(self, target: Target, *, via: Address | None = None, retries: int = 1) -> None:
        self._target = target
        self._address = via or (target.host, target.port)
        self._retries = retries

    def ask(self) -> Sample:
        """Ask once, retries included."""
        at, start, resets = time.time(), time.perf_counter(), 0
        status: int | None = None
        for _ in range(1 + self._retries):
            try:
                status = self._get()
                break
            except ConnectionResetError:
                resets += 1
            except http.client.RemoteDisconnected:
                continue
            except (OSError, http.client.HTTPException):
                break
        return Sample(at, (time.perf_counter() - start) * 1000, status, resets)

    def _get(self) -> int:
        target = self._target
        connection = http.client.HTTPConnection(*self._address, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.sock = self._socket()
            headers = {"Host": target.authority, "User-Agent": "sreportal-chaos", "Accept": "*/*"}
            connection.request("GET", target.path, headers=headers)
            answer = connection.getresponse()
            answer.read(65536)
            return answer.status

    def _socket(self) -> socket.socket:
        plain = socket.create_connection(self._address, timeout=TIMEOUT_S)
        if self._target.scheme == "http":
            return plain
        try:
            context = ssl.create_default_context()
            return context.wrap_socket(plain, server_hostname=self._target.host)
        except BaseException:
            plain.close()
            raise


def observe(
    probe: HttpProbe, tolerance: Tolerance, *, wanted: int, within_s: float
) -> list[Sample]:
    """Ask until `wanted` good answers came in a row, at most for `within_s`; return the last asked."""
    deadline, samples = time.monotonic() + within_s, [probe.ask()]
    while not _settled(samples, tolerance, wanted) and time.monotonic() < deadline:
        time.sleep(0.02)
        samples.append(probe.ask())
    return samples[-wanted:]


def _settled(samples: list[Sample], tolerance: Tolerance, wanted: int) -> bool:
    last = samples[-wanted:]
    return len(last) == wanted and all(tolerance.is_good(sample) for sample in last)
