"""Backup and restore of an embedded portal's database, by the very lines of docs/operations.md."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from sreportal import env

DOCUMENTED = (env.BASE_DIR / "docs/operations.md").read_text()
# Dies amid a transaction that has reached the file already: its journal stays.
CRASH = """
import os, sqlite3
database = sqlite3.connect("data/sreportal.sqlite3", isolation_level=None)
database.execute("PRAGMA cache_size=5")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE kept SET word = hex(randomblob(500))")
os._exit(1)
"""


def run(line: str, folder: Path) -> None:
    """Run a line of the documentation, as it stands there."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, check=False
    )
    assert done.returncode == 0, line


def lines(*beginnings: str) -> list[str]:
    """Return the indented lines of the documentation that begin so."""
    found = [line.strip() for line in DOCUMENTED.splitlines() if line.startswith("    ")]
    return [line for line in found if line.startswith(beginnings) and "sqlite3" in line]


def test_a_restored_file_is_whole_whatever_a_crash_left_beside_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    database = sqlite3.connect(tmp_path / "data/sreportal.sqlite3")
    database.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, word TEXT)")
    database.executemany("INSERT INTO kept (word) VALUES (?)", [("as it was",)] * 2000)
    database.commit()
    (backup,) = lines("python3 -c")
    run(backup, tmp_path)
    database.execute("CREATE INDEX later ON kept (word)")
    database.close()
    subprocess.run([sys.executable, "-c", CRASH], cwd=tmp_path, check=False)
    assert (tmp_path / "data/sreportal.sqlite3-journal").stat().st_size > 0
    for line in lines("rm -f", "cp "):
        run(line, tmp_path)
    restored = sqlite3.connect(tmp_path / "data/sreportal.sqlite3")
    assert restored.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert restored.execute("SELECT DISTINCT word FROM kept").fetchall() == [("as it was",)]
    restored.close()
