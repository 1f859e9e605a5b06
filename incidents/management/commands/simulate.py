"""`manage.py simulate`: were this to come on Sunday at 03:00, who is called when?"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.models import Service
from core.clock import now
from core.reach import instant_from, is_within_reach
from incidents.models import Severity
from incidents.queries.simulation import simulate


class Command(BaseCommand):
    """Prints calls; sends nothing."""

    help = "Print who would be called when, by what, were nobody to answer. Nothing is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--service", required=True, metavar="SLUG")
        parser.add_argument("--severity", required=True, choices=Severity.values)
        parser.add_argument("--at", metavar="ISO8601", help="When it comes; now unless given.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Walk the ladder."""
        service = Service.objects.filter(slug=options["service"]).first()
        if service is None:
            raise CommandError(f"There is no service {options['service']}.", returncode=2)
        at = now() if options["at"] is None else instant_from(options["at"])
        if at is None or not is_within_reach(at):
            raise CommandError("--at is an instant such as 2026-03-08T03:00:00Z.", returncode=2)
        policy, calls = simulate(service, options["severity"], at)
        if options["json"]:
            document = {
                "service": service.slug,
                "severity": options["severity"],
                "at": at.isoformat(),
                "policy": policy.slug if policy else None,
                "calls": [
                    {
                        "at": call.at.isoformat(),
                        "level": call.level,
                        "loop": call.loop,
                        "person": call.person or None,
                        "channel": call.channel or None,
                        "note": call.note,
                    }
                    for call in calls
                ],
            }
            self.stdout.write(json.dumps(document))
            return
        self.stdout.write(f"Policy: {policy or 'none'}")
        for call in calls:
            whom = f"{call.person or 'nobody'} by {call.channel or 'nothing'}"
            note = f" ({call.note})" if call.note else ""
            self.stdout.write(f"{call.at:%Y-%m-%d %H:%M:%S} L{call.level} {whom}{note}")
