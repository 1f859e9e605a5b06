"""Creating, changing and deleting services."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import ApiToken
from catalog.models import Service
from catalog.services.dependencies import lock_graph, set_dependencies
from catalog.services.records import Actor, record
from catalog.services.saving import assign, check, insert, refuse_rename
from core import audit
from core.locking import lock

__all__ = ["FIELDS", "create_service", "delete_service", "hidden_from", "update_service"]

FIELDS = (
    "slug",
    "name",
    "description",
    "tier",
    "owner",
    "is_private",
    "lifecycle",
    "kind",
    "system",
    "runbook_url",
    "repository_url",
    "aws_region",
    "ecs_cluster",
    "ecs_service",
    "rds_instance",
    "load_balancer",
)


@transaction.atomic
def create_service(
    *,
    values: Mapping[str, Any],
    now: datetime,
    actor: Actor = None,
    dependencies: Mapping[Service, bool] | None = None,
) -> Service:
    """Create a service; without a name it is called by its slug.

    Args:
        values: By field name, of `FIELDS`; `owner` is a `Team` or None.
        now: When, for the audit trail.
        actor: Who; None for the portal itself.
        dependencies: For each service it needs whether the dependency is hard.

    Raises:
        InvalidInput: Names each wrong field.
        Conflict: The slug is taken.
    """
    if dependencies:
        lock_graph()
    service = Service(**{"name": values.get("slug", ""), **values})
    check(service)
    insert(service, slug=service.slug, noun="service")
    changes = set_dependencies(service, dependencies or {})
    record("service.created", service, actor=actor, now=now, changes=changes)
    return service


@transaction.atomic
def update_service(
    service: Service,
    *,
    values: Mapping[str, Any],
    now: datetime,
    actor: Actor = None,
    dependencies: Mapping[Service, bool] | None = None,
) -> dict[str, list[Any]]:
    """Change the given fields of `service`, and its dependencies unless they are None.

    Links to services that `actor` may not know of are kept as they are.

    Returns:
        What changed, `{field: [before, after]}`; empty when all was so already.

    Raises:
        InvalidInput: Names each wrong field.
        NotFound: Somebody deleted it.
    """
    refuse_rename(service.slug, values)
    if dependencies is not None:
        lock_graph()
    lock(service)
    changes = assign(service, values)
    check(service)
    if changes:
        service.save(update_fields=[*changes, "updated_at"])
    if dependencies is not None:
        changes |= set_dependencies(service, dependencies, hidden=hidden_from(actor))
    if changes:
        record("service.changed", service, actor=actor, now=now, changes=changes)
    return changes


@transaction.atomic
def delete_service(service: Service, *, now: datetime, actor: Actor = None) -> None:
    """Delete `service` and the dependencies from and to it.

    Raises:
        NotFound: Somebody else deleted it.
    """
    lock(service, to_delete=True)
    name = audit.subject_name(service)
    service.delete()
    record("service.deleted", name, actor=actor, now=now)


def hidden_from(actor: Actor) -> frozenset[int]:
    """Return the ids of the services that `actor` may not know of; none for the portal itself."""
    if actor is None or isinstance(actor, str):
        return frozenset()
    user = actor.user if isinstance(actor, ApiToken) else actor
    known = Service.objects.visible_to(user).values("pk")
    return frozenset(Service.objects.exclude(pk__in=known).values_list("pk", flat=True))
