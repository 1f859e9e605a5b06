"""`manage.py audit_verify`: is the audit chain what was written?"""

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit import verify_chain
from core.models import AuditEntry


def head(text: str) -> tuple[int, str]:
    """Read `SEQ:HASH`."""
    seq, separator, digest = text.partition(":")
    if not (separator and seq.isdecimal() and len(digest) == 64):
        raise argparse.ArgumentTypeError("SEQ:HASH is wanted, as printed by an earlier run")
    return int(seq), digest


class Command(BaseCommand):
    """Exits 0 when the chain holds, 1 when it does not."""

    help = "Recompute the hashes of the audit and name the first entry that does not hold."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")
        parser.add_argument(
            "--expect",
            type=head,
            metavar="SEQ:HASH",
            help="A head noted earlier, which must still be part of the chain.",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Walk the chain, then look for the expected head."""
        report = verify_chain()
        reason = report.reason
        if options["expect"] and not reason:
            seq, digest = options["expect"]
            if not AuditEntry.objects.filter(seq=seq, hash=digest).exists():
                reason = f"the noted entry {seq} is no longer part of the chain"
        if options["json"]:
            facts = asdict(report) | {"holds": not reason, "reason": reason}
            self.stdout.write(json.dumps(facts))
        elif not reason:
            self.stdout.write(
                f"{report.entries} entries hold; head {report.head_seq}:{report.head_hash}"
            )
        else:
            raise CommandError(f"The audit does not hold: {reason}.", returncode=1)
        if reason:
            sys.exit(1)
