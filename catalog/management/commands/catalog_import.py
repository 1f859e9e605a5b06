"""`manage.py catalog_import PATH… [--dry-run] [--json]`: teams and services from YAML."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from catalog.services.importing import Verdict, import_sources
from core import clock
from core.yaml_files import files_at


class Command(BaseCommand):
    """Import catalog files."""

    help = (
        "Import teams and services from Backstage's catalog-info.yaml or the portal's own format. "
        "Exits 1 when a document was refused, 2 on bad usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="File or folder.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen.")
        parser.add_argument("--json", action="store_true", help="One JSON object a document.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, and say what became of each document."""
        try:
            sources = list(files_at(options["paths"]))
        except FileNotFoundError as error:
            self.stderr.write(f"There is no {error}.")
            raise SystemExit(2) from error
        verdicts = import_sources(
            sources, now=clock.now(), actor="manage.py", dry_run=options["dry_run"]
        )
        for verdict in verdicts:
            self._say(verdict, as_json=options["json"])
        refused = sum(not verdict.accepted for verdict in verdicts)
        would = "would be " if options["dry_run"] else ""
        self.stderr.write(
            f"{len(verdicts) - refused} documents {would}carried, {refused} {would}refused."
        )
        if refused:
            raise SystemExit(1)

    def _say(self, verdict: Verdict, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(verdict.as_dict(), ensure_ascii=False))
            return
        name = " ".join(part for part in (verdict.kind, verdict.slug) if part) or "document"
        self.stdout.write(f"{verdict.file}:{verdict.line}: {name}: {verdict.action}")
        for word, remarks in (("error", verdict.errors), ("warning", verdict.warnings)):
            for remark in remarks:
                where = f"{remark['path']}: " if remark["path"] else ""
                self.stdout.write(
                    f"{verdict.file}:{remark['line']}:   {word}: {where}{remark['message']}"
                )
        if verdict.lost:
            self.stdout.write(f"    not carried: {', '.join(verdict.lost)}")
