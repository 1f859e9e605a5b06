"""What only one running portal may hold: the data folder and the port."""

import errno
import fcntl
import os
import socket
from pathlib import Path


class CannotStart(Exception):
    """The portal cannot start here; the message is one line for the person who started it."""


class DataFolderLock:
    """An advisory lock on the data folder, held until the process ends, however it ends."""

    def __init__(self, data_dir: Path) -> None:
        """Take the lock.

        Raises:
            CannotStart: If another process holds it.
        """
        self.fd = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self.fd, 20).decode(errors="replace").strip() or "unknown"
            os.close(self.fd)
            raise CannotStart(
                f"A portal is already running on {data_dir} (process {holder}). "
                "Stop it first, or give another SREPORTAL_DATA and PORT."
            ) from None
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(os.getpid()).encode(), 0)


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        CannotStart: If the port is taken, forbidden or not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        raise CannotStart(_why_not(address, port, error)) from None


def _why_not(address: str, port: int, error: Exception) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"Port {port} is already in use on {address}. Start with another: make run PORT=8001"
    if number == errno.EACCES:
        return f"Port {port} needs rights this account lacks. Start with one above 1023, e.g. 8000."
    return f"Cannot listen on {address} port {port}: {error}. Check BIND and PORT."
