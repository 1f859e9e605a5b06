"""What is known of a source: its credentials, whether it answers, and how far it was fetched."""

import json
from datetime import datetime

import structlog
from cryptography.fernet import InvalidToken
from django.db.models import Min

from core.encryption import decrypt, encrypt
from slo.models import PullState, Source

log = structlog.get_logger(__name__)


def seal_credentials(credentials: dict[str, str]) -> str:
    """Return credentials as they are stored; nothing stays nothing."""
    return encrypt(json.dumps(credentials)) if credentials else ""


def open_credentials(source: Source) -> dict[str, str]:
    """Return `token`, or `username` and `password`, or nothing.

    Credentials that no listed key opens are none: the source then refuses, and the page says so.
    """
    if not source.credentials:
        return {}
    try:
        found: dict[str, str] = json.loads(decrypt(source.credentials))
    except InvalidToken:
        log.warning("source_credentials_unreadable", source=source.slug)
        return {}
    return found


def authentication(source: Source) -> str:
    """Return how the source is signed in to: bearer, basic or none."""
    found = open_credentials(source)
    if "token" in found:
        return "bearer"
    return "basic" if "username" in found else "none"


def note_answer(source: Source, *, error: str, now: datetime) -> None:
    """Keep whether a source answered, and how far all of its SLIs were fetched.

    Args:
        source: Which; its row is written.
        error: Why it did not answer everything; empty when it did.
        now: When.
    """
    states = PullState.objects.filter(sli__source=source)
    source.complete_until = states.aggregate(until=Min("complete_until"))["until"]
    if error and source.failing_since is None:
        log.warning("source_fails", source=source.slug, error=error)
    if not error and source.failing_since is not None:
        log.info("source_is_back", source=source.slug)
    source.failing_since = (source.failing_since or now) if error else None
    source.last_error = error[:500]
    Source.objects.filter(pk=source.pk).update(
        complete_until=source.complete_until,
        failing_since=source.failing_since,
        last_error=source.last_error,
    )
