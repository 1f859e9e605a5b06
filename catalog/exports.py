"""Services as CSV."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from catalog.models import Service
from core.csv_export import Cell, csv_response

__all__ = ["services_csv"]

HEADER = (
    "slug",
    "name",
    "tier",
    "owner",
    "lifecycle",
    "kind",
    "system",
    "is_private",
    "runbook_url",
    "repository_url",
    "aws_region",
    "ecs_cluster",
    "ecs_service",
    "rds_instance",
    "load_balancer",
    "dependencies",
    "updated_at",
)


def services_csv(services: QuerySet[Service]) -> StreamingHttpResponse:
    """Return every row of `services`, loaded by `with_links`, as a download."""
    return csv_response("services.csv", HEADER, _rows(services))


def _rows(services: QuerySet[Service]) -> Iterator[list[Cell]]:
    for service in services.iterator(chunk_size=500):
        links = " ".join(link.target.slug for link in service.dependencies.all())
        owner = service.owner.slug if service.owner else ""
        special = {"owner": owner, "dependencies": links}
        yield [special[name] if name in special else getattr(service, name) for name in HEADER]
