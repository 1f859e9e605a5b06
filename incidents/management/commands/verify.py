"""`manage.py verify`: were the promises about paging kept?"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from core.clock import now
from incidents.queries.verification import BLIND, check_invariants


class Command(BaseCommand):
    """Exits 0 when every invariant holds, 1 when one does not."""

    help = "Check the invariants of paging over the evidence views, and say what cannot be seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Check them all."""
        found = check_invariants(now=now())
        if options["json"]:
            document = {
                "invariants": [
                    {
                        "id": invariant.id,
                        "holds": invariant.holds,
                        "violations": list(invariant.violations),
                        "checked": invariant.checked,
                    }
                    for invariant in found
                ],
                "blind": list(BLIND),
            }
            self.stdout.write(json.dumps(document))
        else:
            for invariant in found:
                word = "holds " if invariant.holds else "BROKEN"
                self.stdout.write(f"{word} {invariant.id} ({invariant.checked} looked at)")
                for violation in invariant.violations:
                    self.stdout.write(f"       {violation}")
            for blind in BLIND:
                self.stdout.write(f"BLIND  {blind}")
        if not all(invariant.holds for invariant in found):
            sys.exit(1)
