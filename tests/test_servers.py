"""Throw-away servers start anywhere and leave nothing behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest
import redis

from tests.servers import postgresql_server, redis_server


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no server is named or runs."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.setattr("tests.servers._postgresql_on_loopback", lambda: None)


def test_given_address_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names a server gets that one."""
    monkeypatch.setenv("DATABASE_URL", "postgres://alice@127.0.0.1:1/given")
    with postgresql_server() as url:
        assert url == "postgres://alice@127.0.0.1:1/given"


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("out_of_reach", [False, True])
def test_binaries_of_the_wheel_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, out_of_reach: bool
) -> None:
    """Without an installed PostgreSQL the wheel's runs, even from a folder only its owner reads."""
    monkeypatch.setattr("shutil.which", lambda _name: None)
    monkeypatch.setattr("tests.servers.PACKAGED", tmp_path)
    if out_of_reach:
        monkeypatch.setattr("tests.servers._reaches", lambda _binary, _runner: False)
    with postgresql_server() as url:
        connection = psycopg2.connect(url)
        try:
            assert connection.server_version >= 160000
        finally:
            connection.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url, connect_timeout=2)


@pytest.mark.usefixtures("bare_machine")
def test_redis_is_gone_after_use() -> None:
    """A throw-away Redis stores, and ends with its block."""
    with redis_server() as url:
        client = redis.Redis.from_url(url)
        assert client.set("key", "value") is True
        client.close()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(url, retry=None).ping()


@pytest.mark.usefixtures("bare_machine")
def test_killed_run_leaves_no_server() -> None:
    """Killing the process that started a server ends the server."""
    program = (
        "import time\n"
        "from tests.servers import throw_away_redis\n"
        "with throw_away_redis() as url:\n"
        "    print(url, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        url = parent.stdout.readline().strip()
        parent.kill()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and answers(url):
        time.sleep(0.05)
    assert not answers(url)


def answers(url: str) -> bool:
    """Return whether a Redis answers there."""
    client = redis.Redis.from_url(url, socket_connect_timeout=1, retry=None)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
