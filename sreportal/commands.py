"""`manage.py` as scripts rely on it: what cannot be done is one line and an exit status."""

import os
import sys

from django.core.management import BaseCommand, ManagementUtility
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

__all__ = ["Commands"]

BAD_USAGE = 2
INTERRUPTED = 130
NOBODY_READS = 141


class Commands(ManagementUtility):
    """Django's commands; a database that cannot be used and a wrong name are told in one line."""

    def execute(self) -> None:
        """Run the command that the arguments name.

        Raises:
            SystemExit: 2 for a command that does not exist and a database that cannot be used; 130
                when it was interrupted and 141 when nobody reads on, as shells expect; else what
                the command gives.
        """
        try:
            super().execute()
        except (OperationalError, ProgrammingError, InterfaceError) as error:
            if "--traceback" in self.argv:
                raise
            sys.stderr.write(f"{_said(error)}\n")
            raise SystemExit(BAD_USAGE) from None
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            # Who read has enough; without this the interpreter complains when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(NOBODY_READS) from None

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Return the command of this name."""
        try:
            return super().fetch_command(subcommand)
        except SystemExit:
            raise SystemExit(BAD_USAGE) from None


def _said(error: Exception) -> str:
    reason = " ".join(str(error).split())
    if _lacks_migrations():
        return (
            f"The database is not prepared for this version ({reason}): run 'make run', or "
            "'manage.py migrate'."
        )
    return f"The database does not answer: {reason}. --traceback tells more."


def _lacks_migrations() -> bool:
    try:
        loaded = MigrationExecutor(connection)
        return bool(loaded.migration_plan(loaded.loader.graph.leaf_nodes()))
    except (OperationalError, ProgrammingError, InterfaceError):
        return False
