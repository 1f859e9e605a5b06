"""One database that is migrated once a run; every worker begins with a copy of it.

Migrating takes a worker some fifteen seconds of a core, copying less than one.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers import own_database

__all__ = ["ADDRESS", "copied_file", "database_beside", "name_of_template"]

# Where workers find the address of PostgreSQL's.
ADDRESS = "SREPORTAL_TEST_TEMPLATE"
# Tests move the clock, also to before this run: their portals are older than all that happens in them.
PREPARE = """
from datetime import UTC, datetime
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from sreportal.preparation import prepare_database
prepare_database()
MigrationRecorder(connection).migration_qs.update(applied=datetime(2000, 1, 1, tzinfo=UTC))
"""
ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def database_beside(url: str) -> Iterator[str]:
    """Yield the address of an empty database on the server of another one, dropped at the end."""
    with own_database(urlsplit(url)._replace(path="", query="").geturl()) as template:
        yield template


def name_of_template(folder: Path) -> str:
    """Return the PostgreSQL database to copy, migrated by whoever comes first.

    Args:
        folder: That the workers of this run share.
    """
    url = os.environ[ADDRESS]
    _migrate_once(folder, url)
    return urlsplit(url).path.lstrip("/")


def copied_file(folder: Path, name: str) -> str:
    """Return the path of a migrated SQLite file of its own for `name`."""
    home = _migrate_once(folder, "")
    (template,) = home.glob("*.sqlite3")
    return str(shutil.copyfile(template, folder / f"{name}.sqlite3"))


def _migrate_once(folder: Path, url: str) -> Path:
    """Migrate in a process of its own, so that no connection to the template stays open."""
    home = folder / "template"
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            unfinished = folder / "template-unfinished"
            environment = {**os.environ, "DATABASE_URL": url, "SREPORTAL_DATA": str(unfinished)}
            command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", PREPARE]
            subprocess.run(command, cwd=ROOT, env=environment, check=True)
            unfinished.rename(home)
    return home
