"""`manage.py slo_import PATH… [--dry-run] [--json]`: SLOs from OpenSLO and Sloth."""

from collections.abc import Sequence
from datetime import datetime

from core.import_command import ImportCommand
from core.yaml_files import SourceFile
from slo.services.importing import Verdict, import_files


class Command(ImportCommand):
    """Import SLOs."""

    help = (
        "Import SLOs from OpenSLO (v1, v1alpha, v2alpha) and Sloth (prometheus/v1, Kubernetes). "
        "Exits 1 when a document was refused, 2 on bad usage."
    )

    def carry(
        self, sources: list[SourceFile], *, now: datetime, dry_run: bool
    ) -> Sequence[Verdict]:
        """Import the files and return what became of each document."""
        return import_files(sources, now=now, actor="manage.py", dry_run=dry_run)

    def say(self, verdict: Verdict) -> None:
        """Say in lines for people what became of one document."""
        said = verdict.as_dict()
        place = f"{said['file']}:{verdict.read.document.line}"
        name = ", ".join(said["slos"]) or said["kind"] or "document"
        self.stdout.write(f"{place}: {name}: {'carried' if said['accepted'] else 'refused'}")
        for word, key in (("error", "errors"), ("warning", "warnings"), ("not carried", "lost")):
            for remark in said[key]:
                where = f"{remark['path']}: " if remark["path"] else ""
                line = f"{said['file']}:{remark['line']}"
                self.stdout.write(f"{line}:   {word}: {where}{remark['message']}")
