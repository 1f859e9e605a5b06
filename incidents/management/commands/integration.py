"""`manage.py integration create KIND --service SLUG [--name N]`: a key for one sender, as JSON."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from catalog.models import Service
from core import clock
from incidents.models import Integration
from incidents.queries.addresses import address_of
from incidents.services.integrations import save_integration


class Command(BaseCommand):
    """Create integrations from scripts."""

    help = "Create an integration and print its key, once. Exits 2 on bad usage."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        create = parser.add_subparsers(dest="act", required=True).add_parser("create")
        create.add_argument("kind", choices=Integration.Kind.values)
        create.add_argument("--service", required=True, metavar="SLUG", help="What it is about.")
        create.add_argument("--name", help="Shown to people; kind and service unless given.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create the integration."""
        kind, slug = options["kind"], options["service"]
        service = Service.objects.filter(slug=slug).first()
        if service is None:
            raise CommandError(f"There is no service {slug}.", returncode=2)
        integration = Integration()
        name = options["name"] or f"{Integration.Kind(kind).label} → {slug}"
        fields = {"kind": kind, "service": service, "name": name}
        try:
            key = save_integration(integration, fields=fields, actor="manage.py", now=clock.now())
        except ValidationError as error:
            said = (
                f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items()
            )
            raise CommandError("; ".join(said), returncode=2) from error
        made = {"kind": kind, "key": key, "url": address_of(kind, key), "service": slug}
        self.stdout.write(json.dumps(made, ensure_ascii=False))
