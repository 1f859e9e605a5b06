"""The embedded broker: Valkey on a unix socket, its queue kept in the data folder."""

import contextlib
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from sreportal.supervisor.claims import CannotStart
from sreportal.supervisor.forks import replace_by


def make_private_folder(folder: Path) -> None:
    """Make the socket's folder, or check that an existing one is ours alone.

    It lies in the shared temporary folder, where anyone may have made it first.

    Raises:
        CannotStart: If the folder belongs to someone else or others may enter it.
    """
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise CannotStart(f"{folder} must be a folder of yours with mode 0700. Remove it first.")


def answers(path: Path) -> bool:
    """Return whether a broker answers PING on the socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def stop_left_over(path: Path) -> None:
    """End a broker that outlived its portal, where the kernel cannot tie the two together."""
    if not answers(path):
        return
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.settimeout(2)
        client.connect(str(path))
        client.sendall(b"SHUTDOWN NOSAVE\r\n")
        client.recv(16)


def runner(program: Path, *, path: Path, folder: Path) -> Callable[[], None]:
    """Return a `run` that becomes the broker.

    Args:
        program: The server.
        path: Unix socket it listens on; there is no TCP port.
        folder: Where its append-only file lives.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "64mb",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        # In a file: what it says about the machine's memory settings does not concern a laptop.
        "logfile": str(folder / "broker.log"),
        # An idle broker must not wake the processor.
        "hz": "2",
        "always-show-logo": "no",
        "enable-debug-command": "no",
        "databases": "2",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return replace_by(program, *arguments)
