"""Writes a copy of the public page that stays up without the portal."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.clock import now
from core.errors import DomainError
from statuspage.services.exporting import export


class Command(BaseCommand):
    """`statuspage_export public/`, or `statuspage_export s3://bucket/prefix`."""

    help = "Writes the public status page as files: pages, documents, feeds and style sheets."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take where to; by default what STATUSPAGE_EXPORT says."""
        parser.add_argument(
            "target",
            nargs="?",
            default=settings.STATUSPAGE_EXPORT,
            help="A folder, or s3://bucket/prefix; by default what STATUSPAGE_EXPORT says.",
        )

    def handle(self, *args: Any, target: str, **options: Any) -> None:
        """Write it."""
        if not target:
            raise CommandError("Say where to: a folder, or s3://bucket/prefix.", returncode=2)
        try:
            count = export(target, now=now())
        except DomainError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{count} files are in {target}.")
