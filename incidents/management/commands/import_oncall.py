"""`manage.py import_oncall SOURCE FILE [--dry-run] [--json]`: take over another tool's on-call."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from accounts.models import User
from core.clock import now
from incidents.services.importing import import_all
from oncall.domain import exports
from oncall.services.importing_outcome import Outcome


class Command(BaseCommand):
    """Exits 0 when all was carried, 1 when something was not, 2 on bad usage."""

    help = (
        "Import people, schedules, overrides, escalation policies and integrations of Opsgenie, "
        "PagerDuty or Grafana OnCall. Begin with --dry-run: it names people without an account."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("source", choices=sorted(exports.READERS), metavar="SOURCE",
                            help="opsgenie, pagerduty or grafana-oncall.")  # fmt: skip
        parser.add_argument("file", type=Path, metavar="FILE", help="JSON; - is standard input.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")
        parser.add_argument(
            "--create-users", action="store_true", help="Make responders of unknown people."
        )
        parser.add_argument(
            "--map", action="append", default=[], metavar="THERE=HERE", dest="aliases",
            help="Who somebody is here: their address, name or id there, and a user name.",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        """Import, and say what became of everything."""
        outcome = import_all(
            self._read(options["source"], options["file"]),
            actor="manage.py",
            now=now(),
            dry_run=options["dry_run"],
            create_users=options["create_users"],
            aliases=self._aliases(options["aliases"]),
        )
        if options["json"]:
            self.stdout.write(json.dumps(_as_dict(options, outcome), ensure_ascii=False))
        else:
            self._say(outcome)
        if not outcome.is_whole:
            sys.exit(1)

    def _read(self, source: str, path: Path) -> exports.Export:
        try:
            text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
            return exports.read(source, json.loads(text))
        except OSError as error:
            self._bad_usage(f"{path} cannot be read: {error.strerror}.")
        except (exports.Unreadable, RecursionError) as error:
            self._bad_usage(f"{path}: {error}")
        except ValueError as error:
            # Not only what is no JSON or no text: Python reads no number of thousands of digits.
            self._bad_usage(f"{path} is no JSON that can be read: {error}.")
        raise AssertionError

    def _aliases(self, given: list[str]) -> dict[str, str]:
        found = {}
        for pair in given:
            there, _, here = pair.partition("=")
            if not there or not here:
                self._bad_usage("--map is written THERE=HERE, e.g. jane@example.org=jane.")
            found[there] = here
        known = User.objects.filter(username__in=found.values()).values_list("username", flat=True)
        if unknown := sorted({*found.values()} - {*known}):
            self._bad_usage(f"--map names who has no account here: {', '.join(unknown)}.")
        return found

    def _bad_usage(self, sentence: str) -> None:
        self.stderr.write(sentence)
        sys.exit(2)

    def _say(self, outcome: Outcome) -> None:
        for item in outcome.items:
            tail = f": {', '.join(item.changes)}" if item.changes else ""
            reason = f": {item.reason}" if item.reason else tail
            slug = f" ({item.slug})" if item.slug else ""
            self.stdout.write(f"{item.action:8}{item.kind} {item.name}{slug}{reason}")
            for sentence in item.lost:
                self.stdout.write(f"        {sentence}")
        for sentence in outcome.lost:
            self.stdout.write(f"refuse  {sentence}")
        for name in outcome.unmatched:
            self.stdout.write(f"unknown {name}: no account has this address; see --create-users.")


def _as_dict(options: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    return {
        "source": options["source"],
        "dry_run": options["dry_run"],
        "complete": outcome.is_whole,
        "unmatched_users": outcome.unmatched,
        "items": [item.as_dict() for item in outcome.items],
        "lost": list(outcome.lost),
    }
