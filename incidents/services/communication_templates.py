"""Templates of updates: made, changed and removed here, with the audit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from core import audit
from core.audit import Who
from core.changes import differing
from core.locking import as_stored, locked, store
from incidents.models import CommunicationTemplate
from oncall.services.cleaning import clean

__all__ = ["delete_template", "save_template"]


@transaction.atomic
def save_template(
    template: CommunicationTemplate, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> CommunicationTemplate:
    """Make a template, or change some of one.

    Raises:
        Conflict: Somebody else took the name in this moment.
        InvalidInput: A field is wrong, e.g. names a placeholder that nothing fills in.
        NotFound: It was deleted meanwhile.
    """
    row = as_stored(template)
    is_new = row.pk is None
    changed = differing(row, fields)
    told = {
        name: value if is_new else [getattr(row, name), value] for name, value in changed.items()
    }
    for name, value in changed.items():
        setattr(row, name, value)
    clean(row)
    if changed:
        store(row, changed)
        act = f"communication_template.{'created' if is_new else 'changed'}"
        audit.record(act=act, subject=row, actor=actor, now=now, changes=told)
    return row


@transaction.atomic
def delete_template(template: CommunicationTemplate, *, actor: Who, now: datetime) -> None:
    """Remove a template; where it was the last of its sort, the built-in one holds again.

    Raises:
        NotFound: Somebody else deleted it.
    """
    row = locked(template, to_delete=True)
    name, changes = audit.subject_name(row), {"removed": f"{row.audience} {row.kind}: {row}"}
    row.delete()
    audit.record(
        act="communication_template.deleted", subject=name, actor=actor, now=now, changes=changes
    )
