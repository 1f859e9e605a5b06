"""`manage.py rotate_secrets`: what is encrypted at rest, under the newest key."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from core import clock
from core.rotation import ColumnReport, rotate


def batch_size(text: str) -> int:
    """Read a number of rows from 1 to 10000."""
    if not (text.isdecimal() and 1 <= int(text) <= 10_000):
        raise argparse.ArgumentTypeError("a number of rows from 1 to 10000 is wanted")
    return int(text)


class Command(BaseCommand):
    """Exits 0 when the newest key opens everything, 1 when values remain, 2 when it could not run."""

    help = "Re-encrypt every secret at rest with the first of ENCRYPTION_KEYS."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; say what is not current."
        )
        parser.add_argument(
            "--batch",
            type=batch_size,
            default=100,
            metavar="ROWS",
            help="Rows a transaction (default: %(default)s).",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Rotate, then say what was found."""
        check, loud = options["check"], options["verbosity"] > 1

        def tell(report: ColumnReport) -> None:
            if loud:
                self.stderr.write(f"{report.column}: {report.rows} rows")

        reports = rotate(now=clock.now(), batch=options["batch"], look_only=check, on_batch=tell)
        left = sum(r.unreadable + (r.rotated if check else 0) for r in reports)
        if options["json"]:
            facts = {"ok": not left, "check": check, "columns": [asdict(r) for r in reports]}
            self.stdout.write(json.dumps(facts, default=str))
        else:
            for report in reports:
                self.stdout.write(_sentence(report, check=check))
        if left:
            sys.exit(1)


def _sentence(report: ColumnReport, *, check: bool) -> str:
    verb = "to re-encrypt" if check else "re-encrypted"
    text = f"{report.column}: {report.rotated} {verb}, {report.current} current"
    if not report.unreadable:
        return text
    rows = ", ".join(map(str, report.unreadable_rows))
    return (
        f"{text}, {report.unreadable} that no key opens (rows {rows}): put the key that wrote them"
        " back into ENCRYPTION_KEYS, or remove the rows"
    )
