"""What commands that import documents have in common: paths, a dry run, JSON, and exit statuses."""

import json
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from django.core.management.base import BaseCommand

from core import clock
from core.yaml_files import SourceFile, files_at

__all__ = ["ImportCommand"]


class Verdict(Protocol):
    """What became of one document."""

    @property
    def accepted(self) -> bool:
        """Whether it was carried."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, in the shape that scripts rely on."""


class ImportCommand(BaseCommand, ABC):
    """Imports YAML files; exits 1 when a document was refused, 2 on bad usage."""

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
        verdicts = self.carry(sources, now=clock.now(), dry_run=options["dry_run"])
        for verdict in verdicts:
            if options["json"]:
                self.stdout.write(json.dumps(verdict.as_dict(), ensure_ascii=False))
            else:
                self.say(verdict)
        refused = sum(not verdict.accepted for verdict in verdicts)
        would = "would be " if options["dry_run"] else ""
        self.stderr.write(
            f"{len(verdicts) - refused} documents {would}carried, {refused} {would}refused."
        )
        if refused:
            raise SystemExit(1)

    @abstractmethod
    def carry(
        self, sources: list[SourceFile], *, now: datetime, dry_run: bool
    ) -> Sequence[Verdict]:
        """Import the files and return what became of each document."""

    @abstractmethod
    def say(self, verdict: Any) -> None:
        """Say in lines for people what became of one document."""
