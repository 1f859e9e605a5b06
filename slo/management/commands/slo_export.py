"""`manage.py slo_export --format openslo|prometheus [--slo SLUG]`: SLOs for other tools."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from catalog.models import Service
from core.yaml_documents import write_documents
from slo.domain.exchange.exported import Exported
from slo.domain.exchange.openslo_writing import documents_of, losses_of
from slo.domain.exchange.prometheus_rules import rules_of
from slo.models import Slo, Source
from slo.queries.exports import exported


class Command(BaseCommand):
    """Export SLOs."""

    help = "Print SLOs as OpenSLO v1, or as Prometheus rules under Sloth's names. Exits 2 on an unknown slug."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Describe the command line."""
        parser.add_argument("--format", choices=["openslo", "prometheus"], required=True)
        parser.add_argument(
            "--slo", action="append", default=[], metavar="SLUG", help="Only this one; repeatable."
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print YAML."""
        known = set(Slo.objects.filter(slug__in=options["slo"]).values_list("slug", flat=True))
        if missing := [slug for slug in options["slo"] if slug not in known]:
            self.stderr.write(f"There is no SLO {', '.join(missing)}.")
            raise SystemExit(2)
        found = exported(options["slo"])
        if options["format"] == "prometheus":
            enabled = [slo for slo in found if slo.is_enabled]
            self.stdout.write(write_documents([rules_of(enabled)]))
        else:
            self.stdout.write(write_documents(openslo(found)))
            for slug, field, message in losses_of(found):
                self.stderr.write(f"{slug}: {field}: {message}")


def openslo(found: list[Exported]) -> list[dict[str, Any]]:
    """Return SLOs with the services and sources that they name, as OpenSLO documents."""
    services = Service.objects.filter(slug__in={slo.service for slo in found})
    sources = Source.objects.filter(slug__in={slo.source for slo in found})
    return documents_of(
        found,
        {row.slug: (row.name, row.description) for row in services},
        {row.slug: (row.kind, _connection(row)) for row in sources},
    )


def _connection(source: Source) -> dict[str, str]:
    """Return how a source is reached, without its credentials."""
    said = {"url": source.url, "region": source.region}
    return {name: value for name, value in said.items() if value}
