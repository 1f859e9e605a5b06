"""Whether what is stored has changed since it was read, for one short question to the database.

Triggers give a name another token whenever a row of its tables is written, by whomever: what was
read after a token is current for as long as the token is. A token never comes twice, so a change
that is rolled back, or a database that is emptied, is no exception.
"""

from django.db import connection

__all__ = ["lift", "token_of", "watch"]

_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION core_revise() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO core_revision (name, token)
        VALUES (TG_ARGV[0], md5(random()::text || clock_timestamp()::text))
        ON CONFLICT (name) DO UPDATE SET token = excluded.token;
        RETURN NULL;
    END $$
    """,
    (
        "CREATE TRIGGER {table}_revise AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION core_revise('{name}')"
    ),
)
_REVISE = (
    "INSERT OR REPLACE INTO core_revision (name, token)"
    " VALUES ('{name}', lower(hex(randomblob(16))))"
)
_SQLITE = tuple(
    f"CREATE TRIGGER {{table}}_revise_{act.lower()} AFTER {act} ON {{table}} BEGIN {_REVISE}; END"
    for act in ("INSERT", "UPDATE", "DELETE")
)


def token_of(name: str) -> str:
    """Return the present token of a name; "" before the first write, when nothing may be kept."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM core_revision WHERE name = %s", [name])
        found = cursor.fetchone()
    return str(found[0]) if found else ""


def watch(vendor: str, table: str, name: str) -> list[str]:
    """Return the SQL statements after which writes to `table` change the token of `name`.

    Args:
        vendor: `connection.vendor`: "postgresql" or "sqlite".
        table: Name of the table, an identifier of our own.
        name: Of the revision, of our own too.
    """
    statements = _POSTGRESQL if vendor == "postgresql" else _SQLITE
    return [statement.format(table=table, name=name) for statement in statements]


def lift(vendor: str, table: str) -> list[str]:
    """Return the SQL statements that undo `watch`."""
    if vendor == "postgresql":
        return [f"DROP TRIGGER {table}_revise ON {table}"]
    return [f"DROP TRIGGER {table}_revise_{act}" for act in ("insert", "update", "delete")]
