"""`manage.py catalog_import PATH… [--dry-run] [--json]`: teams and services from YAML."""

from collections.abc import Sequence
from datetime import datetime

from catalog.services.importing import Verdict, import_sources
from core.import_command import ImportCommand
from core.yaml_files import SourceFile


class Command(ImportCommand):
    """Import catalog files."""

    help = (
        "Import teams and services from Backstage's catalog-info.yaml or the portal's own format. "
        "Exits 1 when a document was refused, 2 on bad usage."
    )

    def carry(
        self, sources: list[SourceFile], *, now: datetime, dry_run: bool
    ) -> Sequence[Verdict]:
        """Import the files and return what became of each document."""
        return import_sources(sources, now=now, actor="manage.py", dry_run=dry_run)

    def say(self, verdict: Verdict) -> None:
        """Say in lines for people what became of one document."""
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
