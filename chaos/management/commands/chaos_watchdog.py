"""`manage.py chaos_watchdog [--state-dir FOLDER]`: undo what dead and hung experiments leave."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from chaos.ledger import default_folder
from chaos.recovery import watch


class Command(BaseCommand):
    """Watch one state folder, for ever."""

    help = "Undo what dead and hung chaos experiments leave, until it is stopped."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument(
            "--state-dir",
            type=Path,
            default=default_folder(),
            help="Where the undo ledger lies; %(default)s unless given.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each fault that is undone."""
        for undone in watch(options["state_dir"], sleep=time.sleep):
            for entry in undone:
                self.stdout.write(f"{entry.run_id} {entry.fault} {entry.state}: {entry.note}")
                self.stdout.flush()
