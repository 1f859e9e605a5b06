"""`manage.py flush`: empties every table, the append-only ones too."""

from typing import Any

from django.core.management.commands import flush
from django.db import connections, transaction

from core.append_only import guard, guarded, lift


class Command(flush.Command):
    """Django's `flush`, with the guard of append-only tables lifted while it empties the database.

    It is the operator's way to begin anew, and how tests with real transactions clean up.
    """

    help = "Empty every table of the database, the audit included. There is no way back."

    def handle(self, *args: Any, **options: Any) -> None:
        """Lift the guard, flush, put the guard back; all or nothing."""
        connection = connections[options["database"]]
        with transaction.atomic(using=connection.alias):
            with connection.cursor() as cursor:
                for table in guarded():
                    for statement in lift(connection.vendor, table):
                        cursor.execute(statement)
            super().handle(*args, **options)
            with connection.cursor() as cursor:
                for table, guarding in guarded().items():
                    for statement in guard(connection.vendor, table, **guarding):
                        cursor.execute(statement)
