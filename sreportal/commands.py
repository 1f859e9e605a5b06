"""`manage.py` as scripts rely on it: what cannot be done is one line and an exit status."""

import errno
import os
import sys
from pathlib import Path

from django.core.management import BaseCommand, ManagementUtility
from django.db import InterfaceError, OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor

__all__ = ["Commands"]

BAD_USAGE = 2
INTERRUPTED = 130
NOBODY_READS = 141
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Commands(ManagementUtility):
    """Django's commands; a database that cannot be used, a full disk and a wrong name are told in one line."""

    def execute(self) -> None:
        """Run the command that the arguments name.

        Raises:
            SystemExit: 2 for a command that does not exist, a database that cannot be used and a
                full disk; 130 when it was interrupted and 141 when nobody reads on, as shells
                expect; else what the command gives.
        """
        if sys.stdout is None:
            # Closed by whoever started it, as daemons are.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 until the process ends
        try:
            self._execute_and_flush()
        except (OperationalError, ProgrammingError, InterfaceError) as error:
            if "--traceback" in self.argv:
                raise
            sys.stderr.write(f"{_said(error)}\n")
            raise SystemExit(BAD_USAGE) from None
        except KeyboardInterrupt:
            raise SystemExit(INTERRUPTED) from None
        except BrokenPipeError:
            # Who read has enough.
            _write_no_more()
            raise SystemExit(NOBODY_READS) from None
        except OSError as error:
            if error.errno not in NO_ROOM or "--traceback" in self.argv:
                raise
            _write_no_more()
            sys.stderr.write(f"It could not be written: {error.strerror}.\n")
            raise SystemExit(BAD_USAGE) from None

    def _execute_and_flush(self) -> None:
        """Run the command, and have what it wrote leave before its status is given."""
        try:
            super().execute()
        finally:
            sys.stdout.flush()

    def fetch_command(self, subcommand: str) -> BaseCommand:
        """Return the command of this name."""
        try:
            return super().fetch_command(subcommand)
        except SystemExit:
            raise SystemExit(BAD_USAGE) from None


def _write_no_more() -> None:
    # Else the interpreter tries what is left once more at its end, and complains.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
