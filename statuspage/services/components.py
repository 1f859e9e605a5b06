"""Creating, changing and deleting what the public page shows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model

from core import audit
from core.audit import Who
from core.locking import lock
from slo.services.saving import save
from statuspage.domain.statuses import Status
from statuspage.models import (
    Component,
    ComponentGroup,
    PublicMaintenance,
    Subscriber,
    SubscriptionRequest,
)

__all__ = ["delete", "save_component", "save_group", "save_public_maintenance", "set_status"]

Row = TypeVar("Row", Component, ComponentGroup, PublicMaintenance)


@transaction.atomic
def save_group(
    row: ComponentGroup, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> ComponentGroup:
    """Create or change a group.

    Raises:
        ValidationError: With the messages by field.
    """
    return save(row, "statuspage.group", actor=_named(actor), now=now, fields=dict(fields))


@transaction.atomic
def save_component(
    row: Component, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> Component:
    """Create or change a component.

    Raises:
        ValidationError: With the messages by field.
    """
    return save(row, "statuspage.component", actor=_named(actor), now=now, fields=dict(fields))


@transaction.atomic
def set_status(row: Component, status: Status | None, *, actor: Who, now: datetime) -> Component:
    """Set by hand how a component is; None takes that back, and it is worked out again."""
    fields = {"manual_status": str(status) if status else ""}
    return save(row, "statuspage.component", actor=_named(actor), now=now, fields=fields)


@transaction.atomic
def save_public_maintenance(
    row: PublicMaintenance, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> PublicMaintenance:
    """Say in public words what maintenance is about, or hide it.

    Raises:
        ValidationError: With the messages by field.
    """
    if row.pk is None:
        row.maintenance = fields["maintenance"]
    return save(row, "statuspage.maintenance", actor=_named(actor), now=now, fields=dict(fields))


@transaction.atomic
def delete(row: Model, *, actor: Who, now: datetime) -> None:
    """Delete a component, a group or the public words of maintenance.

    Who wanted to hear of nothing but that component is forgotten: to choose nothing is to choose all.

    Raises:
        NotFound: Somebody else deleted it.
    """
    lock(row, to_delete=True)
    name, noun = audit.subject_name(row), str(row._meta.verbose_name).rpartition(" ")[2]
    if isinstance(row, Component):
        for model in (Subscriber, SubscriptionRequest):
            others = model.components.through.objects.exclude(component=row)
            own = model.objects.filter(components=row)
            own.exclude(pk__in=others.values(str(model._meta.model_name))).delete()
    row.delete()
    audit.record(act=f"statuspage.{noun}_deleted", subject=name, actor=actor, now=now)


def _named(actor: Who) -> Any:
    """Return who, for a function that knows people and names; a token's name is one."""
    return actor if actor is None or isinstance(actor, str) else actor.audit_name
