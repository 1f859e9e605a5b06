"""`manage.py slo_lint [--slo SLUG] [--strict] [--json]`: what is wrong with the objectives."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core import clock
from slo.domain.lint import Level
from slo.models import Slo
from slo.services import linting


class Command(BaseCommand):
    """Check objectives in CI."""

    help = (
        "Say what is wrong with the objectives. Exits 1 when there is an error or a warning"
        " (with --strict: or a note), 2 on bad usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--slo", metavar="SLUG", help="Only this objective.")
        parser.add_argument("--strict", action="store_true", help="Notes fail as well.")
        parser.add_argument("--json", action="store_true", help="Print an array of findings.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Check, print, and exit accordingly."""
        slos = Slo.objects.enabled().select_related("sli__service").prefetch_related("versions")
        if options["slo"]:
            slos = slos.filter(slug=options["slo"])
            if not slos:
                raise CommandError(f"There is no objective {options['slo']}.", returncode=2)
        found = [
            {
                "slo": report.slo.slug,
                "code": finding.code,
                "level": finding.level.value,
                "field": finding.field,
                "message": finding.message,
            }
            for report in linting.check(list(slos), now=clock.now())
            for finding in report.findings
        ]
        if options["json"]:
            self.stdout.write(json.dumps(found, ensure_ascii=False, indent=2))
        else:
            for row in found:
                self.stdout.write(f"{row['slo']}: {row['level']}: {row['message']} [{row['code']}]")
            self.stderr.write(f"{len(found)} findings in {len(slos)} objectives.")
        failing = set(Level) if options["strict"] else {Level.ERROR, Level.WARNING}
        if any(row["level"] in failing for row in found):
            raise SystemExit(1)
