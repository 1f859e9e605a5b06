"""What Redis says to a message, without one being sent."""

from collections.abc import Iterator

import pytest
import redis

from core.broker import refusal
from tests.servers import throw_away_redis


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with throw_away_redis() as own:
        yield own


@pytest.fixture
def server(url: str) -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(url)
    yield client
    client.execute_command("REPLICAOF", "NO", "ONE")
    client.config_set("maxmemory", 0)
    client.config_set("requirepass", "")
    client.acl_deluser("alice")
    client.close()


def test_one_that_is_well_takes_messages_and_gets_none(url: str, server: "redis.Redis") -> None:
    assert refusal(url, timeout_s=1) == ""
    assert server.dbsize() == 0


def test_a_full_one_refuses(url: str, server: "redis.Redis") -> None:
    server.config_set("maxmemory-policy", "noeviction")
    server.config_set("maxmemory", 1)
    assert refusal(url, timeout_s=1) == "OOM"


def test_a_replica_refuses(url: str, server: "redis.Redis") -> None:
    server.execute_command("REPLICAOF", "127.0.0.1", "1")
    assert refusal(url, timeout_s=1) == "READONLY"


def test_passwords_are_told_as_celery_tells_them(url: str, server: "redis.Redis") -> None:
    server.acl_setuser(
        "alice", enabled=True, passwords=["+p @ss"], keys=["*"], categories=["+@all"]
    )
    server.config_set("requirepass", "wo/rd")
    place = url.partition("://")[2]
    assert refusal(url, timeout_s=1) == "NOAUTH"
    assert refusal(f"redis://:other@{place}", timeout_s=1) == "WRONGPASS"
    assert refusal(f"redis://:wo%2Frd@{place}", timeout_s=1) == ""
    assert refusal(f"redis://alice:p%20%40ss@{place}", timeout_s=1) == ""
