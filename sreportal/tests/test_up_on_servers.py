"""`manage.py up` on PostgreSQL and Redis that others run, and starts that must be refused."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from accounts.roles import Role
from sreportal import env, setting_rules
from sreportal.env import BASE_DIR, SETTINGS
from sreportal.tests.running_portal import (
    RunningPortal,
    gone,
    plain_environment,
    wait_until,
)
from tests.servers import free_port, postgresql_server, throw_away_redis

pytestmark = pytest.mark.long

PASSWORD = "correct-horse"
# Each lets beat send and the worker take its first ticks, on a machine that does other work too.
TICK_WITHIN_S = 60


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Address of a Redis of this module's own."""
    with throw_away_redis() as url:
        yield url


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """Address of an empty database of this module's own."""
    with postgresql_server() as given:
        server, _, name = given.rpartition("/")
        own = f"{name}_up_{os.getpid()}"
        _query(given, f"CREATE DATABASE {own}")
        yield f"{server}/{own}"
        _query(given, f"DROP DATABASE {own} WITH (FORCE)")


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def test_portal_serves_and_evaluates_on_postgresql_and_redis(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    """The page answers, beat's tick is evaluated by the worker, Ctrl-C ends all with status 0."""
    data = tmp_path / "data"
    portal = RunningPortal(data, DATABASE_URL=database_url, REDIS_URL=redis_url)
    done = "SELECT count(*) FROM core_jobslot WHERE job = 'slo.evaluate' AND finished_at > now() - interval '5 min'"
    try:
        portal.wait_until_ready()
        status, body = portal.get("/accounts/login/")
        assert status == 200
        assert "<form" in body
        wait_until(lambda: _query(database_url, done)[0][0] != 0, within_s=TICK_WITHIN_S)
        second = RunningPortal(data, DATABASE_URL=database_url, REDIS_URL=redis_url)
        assert second.wait() == 1
        assert "already running" in second.output()
        children = portal.descendants()
        code, took_s = portal.stop(signal.SIGINT)
    finally:
        portal.end()
    assert code == 0
    assert took_s < 3
    assert gone(children)
    assert not list(data.glob("*.sqlite3"))
    assert not (data / "broker").exists()
    assert "Traceback" not in portal.output()
    assert (urlsplit(database_url).password or PASSWORD) not in portal.output()


def _refused(data: Path, **addresses: str) -> str:
    """Start a portal that must not start, and return the one line that it says."""
    portal = RunningPortal(data, None, **addresses)
    try:
        assert portal.wait() == 1
    finally:
        portal.end()
    lines = portal.output().splitlines()
    assert len(lines) == 1, portal.output()
    assert PASSWORD not in lines[0]
    return lines[0]


def test_postgresql_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """Nobody listens there: one line names the setting, and no database is made."""
    url = f"postgres://portal:{PASSWORD}@127.0.0.1:{free_port()}/portal"
    line = _refused(tmp_path / "data", DATABASE_URL=url)
    assert "PostgreSQL cannot be used" in line
    assert "Check DATABASE_URL" in line


def test_wrong_database_password_is_refused(tmp_path: Path, database_url: str) -> None:
    """A stranger to the server is told so, without the password that was tried."""
    parts = urlsplit(database_url)
    url = f"postgres://nobody_known:{PASSWORD}@{parts.hostname}:{parts.port}{parts.path}"
    line = _refused(tmp_path / "data", DATABASE_URL=url)
    assert "PostgreSQL cannot be used" in line
    assert "nobody_known" in line


def test_redis_that_does_not_answer_is_named(tmp_path: Path) -> None:
    """A broker that is not there stops the start at once instead of a worker after a while."""
    url = f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0"
    line = _refused(tmp_path / "data", REDIS_URL=url)
    assert "Redis cannot be used" in line
    assert "Check REDIS_URL" in line


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "eighty", "PORT must be a whole number, not 'eighty'."),
        ("PORT", "99999", "PORT must be between 1 and 65535, not 99999."),
        ("DATABASE_URL", f"mysql://u:{PASSWORD}@h/d", "DATABASE_URL must be an address like"),
        ("DATABASE_URL", f"postgres://u:{PASSWORD}@h:x/d", "DATABASE_URL must be an address like"),
        ("REDIS_URL", PASSWORD, "REDIS_URL must be an address like"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL must be one of DEBUG"),
        ("DEMO", "maybe", "DEMO must be one of auto, 1, 0; not 'maybe'."),
        ("DEBUG", "perhaps", "DEBUG must be 1 or 0, not 'perhaps'."),
    ],
)
def test_value_that_cannot_be_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    """A wrong value is a sentence that names its setting and carries no password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(setting_rules.InvalidSetting) as refused:
        env.read(name)
    assert said in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_empty_setting_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty line of an environment file changes nothing, and `$` in a secret is a letter."""
    monkeypatch.setenv("PORT", "")
    assert env.read("PORT") == 8000
    monkeypatch.setenv("SECRET_KEY", "$HOME")
    assert env.read("SECRET_KEY") == "$HOME"


@pytest.mark.parametrize("name", ["PORT", "SREPORTAL_DATA"])
def test_start_with_a_wrong_setting_is_one_line(tmp_path: Path, name: str) -> None:
    """`up` says it in one line with status 1, and where settings are explained."""
    done = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=BASE_DIR,
        env=plain_environment(SREPORTAL_DATA=str(tmp_path / "data")) | {name: "/dev/null/data"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(name)
    assert "docs/configuration.md" in line


def test_data_folder_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that exists and that this account may not write into is named."""
    data = tmp_path / "data"
    data.mkdir(mode=0o500)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    monkeypatch.setenv("SREPORTAL_DATA", str(data))
    with pytest.raises(setting_rules.InvalidSetting, match="cannot be written to"):
        env.data_dir()


def test_stop_that_a_finalizer_swallowed_still_stops(tmp_path: Path) -> None:
    """A signal that comes inside a finalizer, where Python drops exceptions, is not lost."""
    script = (
        "import os, signal, contextlib\n"
        "from sreportal.supervisor.loop import Stop, Supervisor\n"
        "with Supervisor() as supervisor:\n"
        "    with contextlib.suppress(Stop):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "    try:\n"
        "        supervisor.run()\n"
        "    except Stop:\n"
        "        print('stopped')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=BASE_DIR,
        env=plain_environment(
            SREPORTAL_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="sreportal.settings"
        ),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "stopped\n"


def test_python_without_venv_is_one_sentence(tmp_path: Path) -> None:
    """Debian splits venv off: `make run` says what to install, before anything is made."""
    for name in ("Makefile", "requirements.txt", "requirements-uv.txt"):
        shutil.copy(BASE_DIR / name, tmp_path)
    bare = tmp_path / "python"
    bare.write_text(
        f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n'
    )
    bare.chmod(0o755)
    done = subprocess.run(
        ["make", "run", f"PYTHON={bare}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_python_without_django_is_one_sentence() -> None:
    """`python manage.py` outside the virtual environment says how to get into it."""
    done = subprocess.run(
        [sys.executable, "-S", "manage.py", "up"],
        cwd=BASE_DIR,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("This Python lacks ")
    assert "make run" in done.stderr


def test_rules_are_about_settings_that_exist() -> None:
    """A rule for a misspelt name would hold nothing; roles are those of accounts."""
    assert set(setting_rules.RULES) <= {setting.name for setting in SETTINGS}
    roles = setting_rules.RULES["MFA_REQUIRED_ROLES"]
    assert roles([role.value for role in Role]) is None
    assert roles(["owner"]) is not None


def test_defaults_keep_their_own_rules() -> None:
    """What is used when nothing is set is itself allowed."""
    for setting in SETTINGS:
        rule = setting_rules.RULES.get(setting.name)
        assert rule is None or rule(setting.default) is None, setting.name
