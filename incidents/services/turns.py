"""Taking turns: who is next in a round robin, counted over all incidents of a policy."""

from django.db import connection

from incidents.models import RoundRobin

__all__ = ["take_turns"]

_TAKE = (
    f"INSERT INTO {RoundRobin._meta.db_table} AS held (policy, level, turns) VALUES (%s, %s, %s)"  # noqa: S608 our own name
    " ON CONFLICT (policy, level) DO UPDATE SET turns = held.turns + EXCLUDED.turns RETURNING turns"
)


def take_turns(policy: str, level: int, count: int) -> range:
    """Take so many turns at a level, within the caller's transaction; returns their numbers.

    Nobody else gets the same ones; whoever asks meanwhile waits until this transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [policy, level, count])
        (taken,) = cursor.fetchone()
    return range(taken - count, taken)
