"""How gunicorn serves the portal, under `make run` and in production alike.

gunicorn -c python:sreportal.gunicorn_conf sreportal.wsgi
"""

import os
from logging import Logger as StandardLogger
from typing import Any

from django.conf import settings
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.util import import_app
from gunicorn.workers.base import Worker

from core.garbage import keep_what_is_loaded
from sreportal import cores
from sreportal.supervisor.forks import die_with_parent


class PortalLogger(Logger):
    """Hands gunicorn's messages to the portal's log, instead of a second format of its own."""

    def setup(self, cfg: Config) -> None:
        """Gunicorn's hook: levels from its configuration, no handlers."""
        super().setup(cfg)
        log: StandardLogger
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True


bind = [f"{settings.BIND}:{settings.PORT}"]
worker_class = "sreportal.web_worker.WholeRequestWorker"
workers = settings.WEB_WORKERS
threads = settings.WEB_THREADS
timeout = 30
graceful_timeout = 30
keepalive = 5
# As long as it takes: Uptime Kuma may put all that it says of a monitor into the address.
limit_request_line = 8190
# A slow leak ends with its process; the jitter keeps two processes from leaving together. It is rare,
# because whoever asks meanwhile waits longer, and in a storm a thousand ask in a second (ADR 0026).
max_requests = 100_000
max_requests_jitter = 20_000
# Loaded before forking: processes share its memory, and a broken import stops the start.
preload_app = True
logger_class = PortalLogger
accesslog = None
# Nothing listens for control commands; signals do.
control_socket_disable = True
# Heartbeat files on a disk would stall with it.
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
forwarded_allow_ips = "*" if settings.NUM_PROXIES else "127.0.0.1,::1"
# The portal is served at the root; a header of that name, which a proxy passes on, is nobody's to set.
forwarder_headers = ""


def when_ready(_server: Arbiter) -> None:
    """Keep what is loaded out of the collector's sight, before processes are forked."""
    keep_what_is_loaded()


pre_fork = cores.choose


def post_fork(_server: Arbiter, worker: Worker) -> None:
    """Tie the new process to the one that forked it, and to a core."""
    die_with_parent(worker.ppid)
    cores.keep(worker)
    end_statements_sooner(settings.DATABASES["default"])


def end_statements_sooner(database: dict[str, Any]) -> None:
    """Give up after 15 s what somebody waits for; workers and pagers have twice as long.

    Args:
        database: Configuration of one to which nothing is connected yet; SQLite knows no such limit.
    """
    if given := database["OPTIONS"].get("options"):
        database["OPTIONS"]["options"] = f"{given} -c statement_timeout=15000"


def post_worker_init(_worker: Any) -> None:
    """Start what every web process runs beside requests."""
    # By name: its models are loaded with the application, which is later than this file.
    import_app("core.process:web_started")()
