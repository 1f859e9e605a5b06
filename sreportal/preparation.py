"""What a data folder needs before the portal can serve from it; every step may be repeated."""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection


def prepare() -> None:
    """Make the database and the static files ready."""
    prepare_database()
    collect_static_files()


def prepare_database() -> None:
    """Set SQLite's journal mode, apply migrations and make the cache table."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA journal_mode={settings.SQLITE_JOURNAL_MODE}")
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)


def static_fingerprint() -> str:
    """Return a digest of the name, size and time of every static file."""
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            found = Path(storage.path(path)).stat()
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def collect_static_files() -> bool:
    """Gather static files for the web server, unless they are as they were.

    Returns:
        Whether anything was done.
    """
    mark = Path(settings.STATIC_ROOT) / ".collected"
    fingerprint = static_fingerprint()
    if mark.exists() and mark.read_text() == fingerprint:
        return False
    # Half of all bytes, and no page of ours asks for them.
    ignored = ["redoc"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=ignored)
    mark.write_text(fingerprint)
    return True
