"""`manage.py up`: start the whole portal and keep it running."""

import os
import sys
from pathlib import Path
from typing import Any

import kombu.pools
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from core import demo
from core.clock import now
from core.garbage import keep_what_is_loaded
from sreportal import defaults, env, preparation
from sreportal.supervisor import broker, programs, servers
from sreportal.supervisor.claims import CannotStart, DataFolderLock, listen
from sreportal.supervisor.forks import run_apart
from sreportal.supervisor.loop import NotReady, Stop, Supervisor


class Command(BaseCommand):
    """Runs in the foreground; Ctrl-C ends it and all it started."""

    help = (
        "Start the portal: broker, web, pager, worker, scheduler and, in the demonstration, traffic. "
        "Prints the address when all answer. Ctrl-C or SIGTERM stops everything."
    )
    # They run once the migrations are applied, in `prepare`.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Claim the data folder and the port, then run until asked to stop."""
        try:
            lock = DataFolderLock(settings.DATA_DIR)
            # Only to know: the port opens for good when there is something behind it.
            listen(settings.BIND, settings.PORT).close()
            try:
                with Supervisor(keep_from_children=(lock.fd,)) as supervisor:
                    Portal(supervisor).run()
            finally:
                env.forget_portal_url()
        except Stop:
            return
        except (CannotStart, NotReady) as error:
            raise CommandError(str(error)) from None


class Portal:
    """The order in which the portal comes up."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._say = supervisor.say
        self._run_folder = Path(settings.DATA_DIR) / "run"
        self._demo_is_on = False
        self._demo_token = ""

    def run(self) -> None:
        """Bring everything up, say where it is, and stay."""
        self._require_servers()
        if not self._run_folder.exists():
            self._make_and_begin_anew()
        self._start_broker()
        password = self._prepare()
        listener = listen(settings.BIND, settings.PORT)
        env.note_portal_url(settings.PORTAL_URL)
        started = [
            programs.web(listener),
            programs.pager(),
            programs.worker(),
            programs.beat(),
        ]
        self._before_fork()
        self._supervisor.start(*started)
        self._supervisor.wait_until_ready(*started)
        self._announce(password)
        if self._demo_is_on:
            settings.DEMO_SWITCH.touch()
            self._supervisor.start(programs.demo_traffic(listener, self._demo_token))
        self._supervisor.run()

    def _make_and_begin_anew(self) -> None:
        """Make the database, then start over as a process that has compiled nothing.

        Every process is forked from this one, and would carry along what compiling all modules
        leaves in its memory.
        """
        self._say("First start: making the database…")
        self._make_ready()
        run_apart(programs.load_shared_code)
        self._run_folder.mkdir(mode=0o700)
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 no shell is meant

    def _require_servers(self) -> None:
        if not settings.EMBEDDED_DATABASE:
            servers.require_database(env.read("DATABASE_URL"))
        if not settings.EMBEDDED_BROKER:
            servers.require_redis(env.read("REDIS_URL"))

    def _start_broker(self) -> None:
        if not settings.EMBEDDED_BROKER:
            return
        program = env.broker_binary()
        if program is None:
            self._say("No embedded broker for this system: messages go through files instead.")
            (Path(settings.DATA_DIR) / "queue" / "control").mkdir(parents=True, exist_ok=True)
            return
        path = env.broker_socket()
        broker.make_private_folder(path.parent)
        broker.stop_left_over(path)
        valkey = programs.valkey(program)
        self._supervisor.start(valkey)
        self._supervisor.wait_until_ready(valkey)

    def _prepare(self) -> str | None:
        """Make the database and static files ready; return the first admin's password, if any."""
        self._say("Preparing the database…")
        self._make_ready()
        started_at = now()
        password = defaults.apply(now=started_at)
        self._demo_is_on = demo.settle(now=started_at)
        if self._demo_is_on and not settings.USERS_API_ANONYMOUS:
            self._demo_token = defaults.demonstration_token(now=started_at)
        return password

    def _make_ready(self) -> None:
        # A connection is not shared with a child; it opens its own.
        connections.close_all()
        if not run_apart(preparation.prepare):
            raise CannotStart("The database or the static files could not be prepared; see above.")

    def _before_fork(self) -> None:
        """Load what all share, leave nothing open that they must not, and no garbage to copy."""
        programs.load_shared_code()
        connections.close_all()
        kombu.pools.reset()
        keep_what_is_loaded()

    def _announce(self, password: str | None) -> None:
        if password:
            self._say(f"First start: sign in as admin with the password {password}")
            self._say("It is shown only this once.")
        if self._demo_is_on:
            self._say("Demonstration traffic is on: DEMO=0 starts without, its page removes it.")
        self._say(f"Ready: {settings.PORTAL_URL}/")
