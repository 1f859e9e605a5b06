"""`manage.py slo_import PATH… [--dry-run] [--json]`: SLOs from OpenSLO and Sloth."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from core.yaml_files import files_at
from slo.services.importing import Verdict, import_files


class Command(BaseCommand):
    """Import SLOs."""

    help = (
        "Import SLOs from OpenSLO (v1, v1alpha, v2alpha) and Sloth (prometheus/v1, Kubernetes). "
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
        verdicts = import_files(
            sources, now=clock.now(), actor="manage.py", dry_run=options["dry_run"]
        )
        for verdict in verdicts:
            if options["json"]:
                self.stdout.write(json.dumps(verdict.as_dict(), ensure_ascii=False))
            else:
                self._say(verdict)
        refused = sum(not verdict.read.accepted for verdict in verdicts)
        would = "would be " if options["dry_run"] else ""
        self.stderr.write(
            f"{len(verdicts) - refused} documents {would}carried, {refused} {would}refused."
        )
        if refused:
            raise SystemExit(1)

    def _say(self, verdict: Verdict) -> None:
        said = verdict.as_dict()
        place = f"{said['file']}:{verdict.read.document.line}"
        name = ", ".join(said["slos"]) or said["kind"] or "document"
        self.stdout.write(f"{place}: {name}: {'carried' if said['accepted'] else 'refused'}")
        for word, key in (("error", "errors"), ("warning", "warnings"), ("not carried", "lost")):
            for remark in said[key]:
                where = f"{remark['path']}: " if remark["path"] else ""
                line = f"{said['file']}:{remark['line']}"
                self.stdout.write(f"{line}:   {word}: {where}{remark['message']}")
