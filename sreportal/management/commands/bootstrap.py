"""`manage.py bootstrap`: what a database needs before anyone signs in."""

from typing import Any

from django.core.management.base import BaseCommand

from core.clock import now
from sreportal import defaults


class Command(BaseCommand):
    """Safe to repeat: it makes what is missing and leaves the rest alone."""

    help = (
        "Create the first admin (only when there is no user; the password is printed once), write "
        "the schedule into the database and let every app create its defaults. Repeat it after "
        "every upgrade, after `migrate`."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the defaults."""
        password = defaults.apply(now=now())
        if password:
            self.stdout.write(f"User: admin\nPassword: {password}")
            self.stderr.write("This password is shown once. Change it after signing in.")
        else:
            self.stderr.write("Schedule and defaults are up to date.")
