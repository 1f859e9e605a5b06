"""What the portal stands on in a drill: a Redis and a database that may be killed and started again."""

import contextlib
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.ingest import DURABLE
from tests import servers

__all__ = ["Servers", "started"]


@dataclass
class Servers:
    """What the portal stands on; either may be killed and started again.

    Args:
        redis: The broker.
        database: PostgreSQL, None is SQLite.
        database_url: Of the drill's own database, "" is SQLite.
    """

    redis: servers.Server
    database: servers.Server | None = None
    database_url: str = ""

    def restart(self, name: str, dice: random.Random) -> str:
        """Kill one of them and start it anew; returns what was done."""
        if name == "redis":
            self.redis.restart(signal.SIGKILL)
        elif self.database is not None:
            self.database.restart(dice.choice((signal.SIGINT, signal.SIGQUIT)))
        return f"{name} restart"


@contextlib.contextmanager
def started(database: str) -> Iterator[Servers]:
    """Yield a running Redis and the database that was asked for."""
    with contextlib.ExitStack() as stack:
        found = Servers(stack.enter_context(servers.restartable_redis()))
        if database == "postgresql":
            # A mutant opens a connection an alert.
            servers.POSTGRESQL_FLAGS.update(DURABLE, max_connections="300")
            found.database = stack.enter_context(servers.restartable_postgresql())
            own = servers.own_database(found.database.url)
            found.database_url = stack.enter_context(own)
        yield found
