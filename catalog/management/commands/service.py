"""`manage.py service create SLUG [--tier N] [--team SLUG]`: the new service as JSON."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog.models import Service, Team
from catalog.serializers import ServiceSerializer
from catalog.services.services import create_service
from core import clock
from core.errors import DomainError, InvalidInput


class Command(BaseCommand):
    """Create services from scripts."""

    help = "Create a service and print it as JSON. Exits 1 when it is refused, 2 on bad usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        create = parser.add_subparsers(dest="act", required=True).add_parser("create")
        create.add_argument("slug")
        create.add_argument("--name", help="Shown to people; the slug unless given.")
        create.add_argument("--tier", type=int, choices=Service.Tier.values, default=2)
        create.add_argument("--team", metavar="SLUG", help="The team that owns it.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create the service."""
        values: dict[str, Any] = {"slug": options["slug"], "tier": options["tier"]}
        if options["name"]:
            values["name"] = options["name"]
        if options["team"]:
            values["owner"] = Team.objects.filter(slug=options["team"]).first()
            if values["owner"] is None:
                raise CommandError(f"There is no team {options['team']}.", returncode=2)
        try:
            service = create_service(values=values, now=clock.now(), actor="manage.py")
        except InvalidInput as error:
            raise CommandError(error.message, returncode=2) from error
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from error
        body = ServiceSerializer(service, context={"request": None}).data
        self.stdout.write(json.dumps(body, ensure_ascii=False))
