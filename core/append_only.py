"""Tables to which rows are only ever added: the database itself refuses everything else.

PostgreSQL refuses UPDATE, DELETE and TRUNCATE. SQLite refuses UPDATE, DELETE and an INSERT that
would replace a row (`INSERT OR REPLACE` deletes without firing delete triggers). Migrations
install the guard; only `manage.py flush`, which empties the whole database, lifts it.
"""

_POSTGRESQL = (
    """
    CREATE OR REPLACE FUNCTION core_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    (
        "CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION core_refuse_change()"
    ),
    (
        "CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION core_refuse_change()"
    ),
)
_SQLITE = (
    (
        "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}"
        " BEGIN SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END"
    ),
    (
        "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
        " BEGIN SELECT RAISE(ABORT, '{table} is append-only: DELETE refused'); END"
    ),
    (
        "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table}"
        " WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"
        " BEGIN SELECT RAISE(ABORT, '{table} is append-only: REPLACE refused'); END"
    ),
)

# Of rows that are written when something begins, and once more when it ends.
_POSTGRESQL_UNTIL = (
    _POSTGRESQL[0],
    (
        "CREATE TRIGGER {table}_no_change BEFORE UPDATE ON {table} FOR EACH ROW"
        " WHEN (OLD.{ended} IS NOT NULL) EXECUTE FUNCTION core_refuse_change()"
    ),
    (
        "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}"
        " FOR EACH ROW EXECUTE FUNCTION core_refuse_change()"
    ),
    _POSTGRESQL[2],
)
_SQLITE_UNTIL = (
    (
        "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} WHEN OLD.{ended} IS NOT NULL"
        " BEGIN SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused'); END"
    ),
    *_SQLITE[1:],
)

# Tables that are guarded, and the options of their guards; an app names its own when it is ready.
_guarded = {"core_auditentry": {"key": "seq"}}


def register(table: str, **options: str) -> None:
    """Have the guard of a table, with its options, lifted while the whole database is emptied."""
    _guarded[table] = options


def guarded() -> dict[str, dict[str, str]]:
    """Return every guarded table and the options of its guard."""
    return dict(_guarded)


def guard(vendor: str, table: str, *, key: str = "id", ended: str = "") -> list[str]:
    """Return the SQL statements that make `table` append-only.

    Args:
        vendor: `connection.vendor`: "postgresql" or "sqlite".
        table: Name of the table, an identifier of our own.
        key: Its primary key column.
        ended: A column that is NULL while a row may still be changed; "" where it never may.
    """
    if vendor == "postgresql":
        statements = _POSTGRESQL_UNTIL if ended else _POSTGRESQL
    else:
        statements = _SQLITE_UNTIL if ended else _SQLITE
    return [statement.format(table=table, key=key, ended=ended) for statement in statements]


def lift(vendor: str, table: str) -> list[str]:
    """Return the SQL statements that undo `guard`."""
    if vendor == "postgresql":
        names = ("no_change", "no_delete", "no_truncate")
        return [f"DROP TRIGGER IF EXISTS {table}_{name} ON {table}" for name in names]
    return [f"DROP TRIGGER {table}_{name}" for name in ("no_update", "no_delete", "no_replace")]
