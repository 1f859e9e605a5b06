"""Making, changing and re-keying integrations; the key goes out once, the secret never."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from core import audit
from core.encryption import decrypt, encrypt
from core.locking import lock
from incidents.domain.formats.generic import check_mapping
from incidents.domain.severities import SEVERITIES, SILENT
from incidents.models import Integration
from incidents.queries.configuration import current, last_known

__all__ = [
    "find", "find_known", "new_key", "open_secret", "rotate_key", "save_integration", "with_key",
    "wrong_maps",
]  # fmt: skip

# As ours are; PagerDuty's clients want 32 characters, Opsgenie's and Healthchecks' show them as a
# UUID. Keys that came from elsewhere may be shorter and have any letters; their case does not count.
_KEY = re.compile(r"[0-9a-z]{16,64}")


def new_key() -> str:
    """Return a fresh key: 32 hexadecimal digits, 128 bits of chance."""
    return secrets.token_hex(16)


def find(key: str, *kinds: str) -> Integration | None:
    """Return the enabled integration that a key opens, if it is of one of `kinds`."""
    digest = _digest_of(key)
    found = current().integration(digest) if digest else None
    return found if found is not None and found.kind in (kinds or {found.kind}) else None


def find_known(key: str, *kinds: str) -> tuple[Integration | None, str | None]:
    """Return what `find` does, where this process knows the key without asking the database.

    Returns:
        The integration, and the revision under which it was read: `receiving.take` wants to know,
        because what it stores must be stored under a key that holds. None where it was just read.
    """
    configuration, digest = last_known(), _digest_of(key)
    found = configuration.known_integration(digest)
    if found is None or (kinds and found.kind not in kinds):
        return find(key, *kinds), None
    return found, configuration.token


def with_key(key: str) -> Integration | None:
    """Return the integration that a key opens, enabled or not."""
    digest = _digest_of(key)
    return Integration.objects.filter(key_digest=digest).first() if digest else None


def open_secret(integration: Integration) -> str | None:
    """Return the secret with which the sender signs; "" for none, None when no key opens it."""
    if not integration.signing_secret:
        return ""
    try:
        return decrypt(integration.signing_secret)
    except InvalidToken:
        return None


@transaction.atomic
def save_integration(
    integration: Integration,
    *,
    fields: Mapping[str, Any],
    actor: audit.Actor | str | None,
    now: datetime,
    signing_secret: str | None = None,
    key: str = "",
) -> str:
    """Create or change an integration.

    Args:
        integration: A new one, or a stored one.
        fields: What to set.
        actor: Who.
        now: When.
        signing_secret: With which the sender signs; "" forgets it, None keeps it.
        key: That the sender of a new one has already; "" makes one.

    Returns:
        The key of a new one, which nobody sees again; "" for a stored one.

    Raises:
        ValidationError: With the messages by field.
        NotFound: The stored one was deleted.
    """
    is_new = integration.pk is None
    if not is_new:
        lock(integration)
    changes: dict[str, Any] = {
        name: [str(getattr(integration, name, None)) if not is_new else "", str(value)]
        for name, value in fields.items()
        if is_new or getattr(integration, name) != value
    }
    for name, value in fields.items():
        setattr(integration, name, value)
    key = (key or new_key()) if is_new else ""
    if is_new:
        integration.key_digest, integration.key_hint = _digest_of(key), key[-4:]
    if is_new and not integration.key_digest:
        raise ValidationError({"key": ["A key has 16 to 64 letters and digits."]})
    _check(integration)
    if signing_secret is not None:
        integration.signing_secret = encrypt(signing_secret) if signing_secret else ""
        changes["signing_secret"] = ["…", "set" if signing_secret else "removed"]
    if is_new or changes:
        integration.save()
        act = "integration.created" if is_new else "integration.changed"
        audit.record(act=act, subject=integration, actor=actor, now=now, changes=changes)
    return key


@transaction.atomic
def rotate_key(integration: Integration, *, actor: audit.Actor | str | None, now: datetime) -> str:
    """Give an integration another key and return it; the old one is unknown from now on."""
    key = new_key()
    integration.key_digest, integration.key_hint = _digest(key), key[-4:]
    integration.save(update_fields=["key_digest", "key_hint", "updated_at"])
    audit.record(act="integration.key_rotated", subject=integration, actor=actor, now=now)
    return key


def wrong_maps(severity_map: Any, mapping: Any) -> dict[str, list[str]]:
    """Return what is wrong with the words for severities and with a mapping, by field."""
    errors = {}
    if not isinstance(severity_map, dict) or any(
        not str(word).isprintable()
        or not isinstance(meant, str)
        or (meant not in SEVERITIES and meant != SILENT)
        for word, meant in severity_map.items()
    ):
        errors["severity_map"] = ['Give words and P0, P1, P2, P3 or none: {"critical": "P1"}.']
    if not isinstance(mapping, dict):
        errors["mapping"] = ['Give expressions by field: {"title": "alert.name"}.']
    elif wrong := check_mapping(mapping):
        errors["mapping"] = [f"{name}: {message}" for name, message in wrong.items()]
    return errors


def _check(integration: Integration) -> None:
    if errors := wrong_maps(integration.severity_map, integration.mapping):
        raise ValidationError(errors)
    words = integration.severity_map.items()
    integration.severity_map = {str(word).lower(): meant for word, meant in words}
    integration.full_clean()


def _digest_of(given: str) -> str:
    """Return the digest of a key as senders give it; "" when it cannot be one."""
    plain = given.strip().lower().replace("-", "")
    return _digest(plain) if _KEY.fullmatch(plain) else ""


def _digest(key: str) -> str:
    pepper: str = settings.TOKEN_PEPPER
    return hmac.new(pepper.encode(), f"integration:{key}".encode(), hashlib.sha256).hexdigest()
