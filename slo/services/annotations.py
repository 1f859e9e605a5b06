"""Writing down what happened to a service."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from catalog.models import Service
from core import audit
from core.locking import lock
from slo.domain.ledger import Cause
from slo.models import Annotation

if TYPE_CHECKING:
    from accounts.models import User


@transaction.atomic
def annotate(
    *,
    service: Service,
    title: str,
    starts_at: datetime,
    actor: "User | str | None",
    now: datetime,
    kind: str = Cause.NOTE.value,
    ends_at: datetime | None = None,
    url: str = "",
    key: str = "",
    known: Annotation | None = None,
) -> Annotation:
    """Write down a happening, or change one: `known`, or that with the same `key`.

    Raises:
        ValidationError: With the messages by field.
        NotFound: `known` was deleted.
    """
    if known is not None:
        lock(known)
    same = Annotation.objects.select_for_update().filter(service=service, key=key).exclude(key="")
    row = known or same.first() or Annotation()
    is_new = row.pk is None
    row.service, row.key, row.kind, row.title, row.url = service, key, kind, title, url
    row.starts_at, row.ends_at = starts_at, ends_at
    row.full_clean()
    row.save()
    act = "slo.annotated" if is_new else "slo.annotation_changed"
    audit.record(act=act, subject=row, actor=actor, now=now, changes={"title": title})
    return row


@transaction.atomic
def remove(row: Annotation, *, actor: "User | str | None", now: datetime) -> None:
    """Remove an annotation; the audit keeps that it was there.

    Raises:
        NotFound: Somebody else deleted it.
    """
    lock(row, to_delete=True)
    name = audit.subject_name(row)
    row.delete()
    audit.record(
        act="slo.annotation_removed",
        subject=name,
        actor=actor,
        now=now,
        changes={"title": row.title},
    )
