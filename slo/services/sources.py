"""Making, changing and deleting sources; their credentials go in and never come out."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from core import audit, http_client
from core.errors import Conflict
from core.locking import lock
from slo.models import Source
from slo.services.source_health import seal_credentials
from slo.sources.prometheus_api import FEATURE

if TYPE_CHECKING:
    from accounts.models import User

Credentials = dict[str, str]


@transaction.atomic
def save_source(
    source: Source,
    *,
    actor: "User | str | None",
    now: datetime,
    fields: dict[str, Any],
    credentials: Credentials | None = None,
) -> Source:
    """Create or change a source.

    Args:
        source: A new one, or a stored one.
        actor: Who.
        now: When.
        fields: What to set.
        credentials: `token`, or `username` and `password`; empty forgets them; None keeps them,
            unless the address changes: a secret is only sent where somebody meant it to go.

    Raises:
        ValidationError: With the messages by field.
        NotFound: The stored one was deleted.
    """
    is_new = source.pk is None
    if not is_new:
        lock(source)
    changes = {
        name: [str(getattr(source, name)), str(value)]
        for name, value in fields.items()
        if getattr(source, name) != value
    }
    for name, value in fields.items():
        setattr(source, name, value)
    if credentials is None and "url" in changes and source.credentials:
        credentials = {}
    _check(source, credentials)
    if credentials is not None:
        source.credentials = seal_credentials(credentials)
        changes["credentials"] = ["…", "set" if credentials else "removed"]
    if {"url", "region", "kind", "credentials", "is_enabled"} & changes.keys():
        source.busy_until = None
    if is_new or changes:
        source.save()
        act = "source.created" if is_new else "source.changed"
        audit.record(act=act, subject=source, actor=actor, now=now, changes=changes)
    return source


def _check(source: Source, credentials: Credentials | None) -> None:
    if credentials and source.kind == Source.Kind.CLOUDWATCH:
        raise ValidationError(
            {"credentials": "CloudWatch is asked with the worker's own AWS credentials."}
        )
    source.full_clean()
    refused = source.url and http_client.check_address(source.url, feature=FEATURE)
    if refused:
        raise ValidationError({"url": refused})


@transaction.atomic
def delete_source(source: Source, *, actor: "User | str | None", now: datetime) -> None:
    """Delete a source that no SLI uses.

    Raises:
        NotFound: Somebody else deleted it.
        Conflict: An SLI uses it.
    """
    lock(source, to_delete=True)
    name = audit.subject_name(source)
    try:
        source.delete()
    except ProtectedError as error:
        raise Conflict("SLIs are measured by this source; delete them first.") from error
    audit.record(act="source.deleted", subject=name, actor=actor, now=now)
