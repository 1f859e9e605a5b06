"""A TCP proxy that delays or resets what passes, until its time is over."""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FaultProxy", "Toxics"]

CHUNK = 65536
# Linger of zero seconds: closing then sends RST instead of FIN.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Toxics:
    """What is done to connections.

    Attributes:
        latency_ms: Every piece of an answer arrives so much later.
        jitter_ms: More or less by up to so much.
        reset_share: Share of connections that are reset, evenly spread.
    """

    latency_ms: float = 0
    jitter_ms: float = 0
    reset_share: float = 0


class FaultProxy:
    """Forwards connections from a free port of loopback to one upstream address."""

    def __init__(self, upstream: tuple[str, int], toxics: Toxics, *, ttl_s: float) -> None:
        self._upstream = upstream
        self._toxics = toxics
        self._ttl_s = ttl_s
        self._connections = 0
        self._random = random.Random()  # noqa: S311 jitter is no secret

    async def serve(self, port_file: Path) -> None:
        """Forward until the time is over, and tell the port in `port_file` once it listens."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            draft = port_file.with_suffix(".draft")
            draft.write_text(str(port))
            draft.replace(port_file)
            await asyncio.sleep(self._ttl_s)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._resets(self._connections):
                self._reset(writer)
                return
            await self._forward(reader, writer)
        except OSError:
            self._reset(writer)
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        up = asyncio.create_task(self._pass_on(reader, upstream_writer, late=False))
        down = asyncio.create_task(self._pass_on(upstream_reader, writer, late=True))
        try:
            await down
        finally:
            up.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await up
            upstream_writer.close()

    def _resets(self, number: int) -> bool:
        # The whole part of number × share grows exactly on the share of the numbers.
        share = self._toxics.reset_share
        return int(number * share) > int((number - 1) * share)

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        connection: socket.socket | None = writer.get_extra_info("socket")
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool
    ) -> None:
        """Pass pieces on in order, each so much later than it came, not than the one before."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=64)

        async def release() -> None:
            while True:
                due, piece = await waiting.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not piece:
                    writer.write_eof()
                    return
                writer.write(piece)
                await writer.drain()

        releasing = asyncio.create_task(release())
        try:
            piece = b"begin"
            while piece:
                piece = await reader.read(CHUNK)
                await waiting.put((loop.time() + (self._delay_s() if late else 0), piece))
            await releasing
        finally:
            releasing.cancel()

    def _delay_s(self) -> float:
        jitter = self._random.uniform(-self._toxics.jitter_ms, self._toxics.jitter_ms)
        return max(0.0, self._toxics.latency_ms + jitter) / 1000
