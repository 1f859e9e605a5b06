"""`manage.py oncall_check`: is somebody reachable at every hour of the next weeks?"""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from core.clock import now
from oncall.queries.overlaps import MOST_SHOWN
from oncall.queries.reachability import Hole, holes, notes


class Command(BaseCommand):
    """Exits 0 when there is no hole, 1 when there is one; for CI. Notes fail nothing."""

    help = "List when nobody would be called, and why: gaps, unverified ways, empty levels."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--days", type=int, default=90, help="How far to look (default: 90).")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look."""
        days = options["days"]
        if not 1 <= days <= 366:
            self.stderr.write("--days is 1 to 366.")
            sys.exit(2)
        present = now()
        found, said = holes(now=present, days=days), notes(now=present, days=days)
        if options["json"]:
            rows = {"holes": [*map(_as_dict, found)], "notes": [*map(_as_dict, said)]}
            self.stdout.write(json.dumps({"days": days, **rows}))
        else:
            for hole in found:
                self.stdout.write(_in_words(hole))
            for note in said[:MOST_SHOWN]:
                self.stdout.write(f"note: {_in_words(note)}")
            if more := len(said[MOST_SHOWN:]):
                self.stdout.write(f"note: And {more} more; --json names all of them.")
            if not found:
                self.stdout.write(f"Somebody is reachable at every hour of {days} days.")
        if found:
            sys.exit(1)


def _in_words(hole: Hole) -> str:
    span = f" ({hole.starts_at} – {hole.ends_at})" if hole.starts_at else ""
    return f"{hole.subject}: {hole.message}{span}"


def _as_dict(hole: Hole) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in asdict(hole).items()
    }
