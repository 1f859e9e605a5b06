"""`manage.py doctor`: is this portal well, and what cannot be seen from here?"""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from sreportal.diagnosis import Verdict, examine


class Command(BaseCommand):
    """Exit status 0 when nothing is wrong, 1 when something is."""

    help = (
        "Show settings, versions, data folder, database, broker, clock and processes, and what "
        "cannot be seen. Exit status 1 when something is wrong."
    )
    # It reports them itself, as findings.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--only", help="look at this alone, e.g. worker (for health checks)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine and print."""
        findings = examine(now=now())
        if options["only"]:
            findings = [finding for finding in findings if finding.name == options["only"]]
            if not findings:
                raise CommandError(f"Nothing is called {options['only']!r}.", returncode=2)
        well = all(finding.verdict is not Verdict.WRONG for finding in findings)
        if options["json"]:
            body = {"ok": well, "findings": [asdict(finding) for finding in findings]}
            self.stdout.write(json.dumps(body, indent=2))
        else:
            for finding in findings:
                self.stdout.write(f"{finding.verdict:<6}{finding.name:<16}{finding.detail}")
        if not well:
            sys.exit(1)
