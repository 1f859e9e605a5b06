"""The processes of the portal, each as what to run and how to tell that it is ready."""

import importlib
import os
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from celery import signals
from celery.platforms import SecurityWarning
from django.conf import settings
from django.core.management import call_command
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.util import import_app

from sreportal import env, gunicorn_conf
from sreportal.celery import app as celery_app
from sreportal.supervisor import broker
from sreportal.supervisor.forks import replace_by

LOADED_BEFORE_FORKING = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.thread",
    "celery.worker.consumer",
    "celery.worker.components",
    "django.core.handlers.wsgi",
    "incidents.management.commands.pager",
    "sreportal.web_worker",
    "kombu.transport.redis",
    "sreportal.beat",
)
DEMO_SCRIPT = settings.BASE_DIR / "sreportal" / "demo_traffic.py"


@dataclass(frozen=True)
class Program:
    """One process to keep running.

    Args:
        name: Prefix of its log lines.
        run: What the forked child does.
        is_ready: Whether the process of this id does its work; asked until it says yes.
        may_finish: Whether exit status 0 means that it is done rather than broken.
    """

    name: str
    run: Callable[[], None]
    is_ready: Callable[[int], bool] = lambda _pid: True
    may_finish: bool = False


class _Web(BaseApplication):
    """Gunicorn around the application that is already loaded, on a socket that is already open."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        super().__init__()

    def load_config(self) -> None:
        for name in Config().settings:
            if hasattr(gunicorn_conf, name):
                self.cfg.set(name, getattr(gunicorn_conf, name))
        self.cfg.set("bind", [f"fd://{self._listener.fileno()}"])

    def load(self) -> object:
        # Now, not at import: it lists the static files, which the first start collects just before.
        return import_app("sreportal.wsgi")


def web(listener: socket.socket) -> Program:
    """Return the web server, ready when it answers its liveness address."""
    address, port = listener.getsockname()[:2]
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104

    def answers(_pid: int) -> bool:
        try:
            with socket.create_connection((loopback, port), timeout=1) as client:
                client.sendall(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
                return client.recv(12).endswith(b" 200")
        except OSError:
            return False

    return Program("web", lambda: _Web(listener).run(), answers)


def _marker(name: str) -> Path:
    return Path(settings.DATA_DIR) / "run" / f"{name}.ready"


def _leave(marker: Path) -> None:
    """Write this process's id in one step: who reads it never sees half."""
    draft = marker.with_suffix(".new")
    draft.write_text(str(os.getpid()))
    draft.replace(marker)


def _celery(name: str, ready: signals.Signal, arguments: list[str]) -> Program:
    marker = _marker(name)

    def is_ready(pid: int) -> bool:
        return marker.exists() and marker.read_text() == str(pid)

    def run() -> None:
        # Messages are JSON: nothing in them runs, whoever the worker runs as.
        warnings.simplefilter("ignore", SecurityWarning)
        ready.connect(lambda **_: _leave(marker), weak=False)
        celery_app.start(argv=arguments)

    return Program(name, run, is_ready)


def worker() -> Program:
    """Return the task worker, ready when it has subscribed to its queue."""
    return _celery(
        "worker",
        signals.worker_ready,
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={settings.WORKER_CONCURRENCY}",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
            "--hostname=embedded@%h",
        ],
    )


def beat() -> Program:
    """Return the scheduler, ready when it has read its schedule."""
    return _celery("beat", signals.beat_init, ["--quiet", "beat", "--pidfile="])


def pager() -> Program:
    """Return the pager, ready when it looks for what is due."""
    marker = _marker("pager")

    def run() -> None:
        _leave(marker)
        call_command("pager")

    return Program("pager", run, lambda pid: marker.exists() and marker.read_text() == str(pid))


def valkey(program: Path) -> Program:
    """Return the embedded broker, ready when it answers PING."""
    path = env.broker_socket()
    folder = Path(settings.DATA_DIR) / "broker"
    return Program(
        "broker",
        broker.runner(program, path=path, folder=folder),
        lambda _pid: broker.answers(path),
    )


def demo_traffic(listener: socket.socket, token: str) -> Program:
    """Return the generator of demonstration traffic; it ends when its switch is removed.

    Args:
        listener: The socket that the web server answers on.
        token: API token that it sends, or "" where nobody asks for one.
    """
    address, port = listener.getsockname()[:2]
    host = "127.0.0.1" if address == "0.0.0.0" else address  # noqa: S104
    # -I: the script's own folder has a `celery` and a `settings` that nobody there means.
    arguments = ("-I", "-S", str(DEMO_SCRIPT), host, str(port), str(settings.DEMO_SWITCH))
    become = replace_by(sys.executable, *arguments)

    def run() -> None:
        # By the environment: a command line can be read by everybody on the machine.
        os.environ["DEMO_TOKEN"] = token
        become()

    return Program("demo", run, may_finish=True)


def load_shared_code() -> None:
    """Import what the children would each import by themselves, so that they share its memory."""
    celery_app.loader.import_default_modules()
    for module in (settings.ROOT_URLCONF, *LOADED_BEFORE_FORKING):
        importlib.import_module(module)
