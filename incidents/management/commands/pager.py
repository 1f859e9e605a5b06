"""`manage.py pager`: the process that calls people."""

import signal
import threading
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from core.clock import database_now, now
from core.garbage import keep_what_is_loaded
from incidents.services.pager import Pager


def audit_seconds(text: str) -> float:
    """Read how often to audit.

    Raises:
        ArgumentTypeError: It is no number of seconds from 1 to 3600.
    """
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 1 <= found <= 3600:
        raise ArgumentTypeError("seconds from 1 to 3600 are wanted")
    return found


class Command(BaseCommand):
    """Runs until SIGTERM or Ctrl-C; what is being sent is finished first."""

    help = (
        "Call people: fire escalation steps, send pages, keep timers. Several copies may run; "
        "neither broker nor worker is needed."
    )
    # They are about pages and admin, and a start would wait for them; settings are judged when read.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Let an operator skip the wait after a long absence, and audit more often."""
        parser.add_argument(
            "--resume",
            action="store_true",
            help="After an absence of more than an hour call at once, without waiting ten minutes.",
        )

        parser.add_argument(
            "--audit-every",
            type=audit_seconds,
            default=60.0,
            metavar="SECONDS",
            help="How often it checks that nobody was forgotten (default: 60).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Tick until asked to stop."""
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        every = timedelta(seconds=options["audit_every"])
        keep_what_is_loaded()
        pager = Pager(now, audit_every=every, reference=database_now)
        pager.run(stop, resumed=options["resume"])
