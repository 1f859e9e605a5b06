"""Contact methods: added, switched on and off, removed; and the secrets that sign for webhooks."""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import User
from catalog.models import Team
from core import audit, encryption, http_client
from core.audit import Who
from core.errors import Conflict, InvalidInput
from core.locking import lock, locked
from notifications.domain.kinds import Kind, address_problem, normalized
from notifications.domain.web_push import private_key, public_text, read_subscription
from notifications.models import ContactMethod, NotificationRule
from notifications.services.switching import set_enabled
from notifications.services.trials import hold_owner

__all__ = [
    "add_method",
    "change_method",
    "push_key",
    "remove_method",
    "rename_method",
    "renew_secret",
]

MOST_METHODS = 20
# Long enough for whoever runs the receiver to put the new one in.
OLD_SECRET_LASTS = timedelta(days=1)


@transaction.atomic
def add_method(
    *,
    person: User | None,
    team: Team | None = None,
    kind: Kind,
    label: str,
    address: str,
    actor: Who,
    now: datetime,
) -> ContactMethod:
    """Add a way to reach a person or a team's channel; it counts once it is verified.

    A webhook gets a secret with which what is sent to it is signed, a browser keeps the key for which
    it subscribed.

    Raises:
        InvalidInput: The address is none of its kind, or may not be asked.
        Conflict: It is there already, or there are too many.
    """
    address = normalized(kind, address)
    problem = address_problem(kind, address)
    if not problem and kind in {Kind.WEBHOOK, Kind.WEB_PUSH}:
        asked = address if kind is Kind.WEBHOOK else read_subscription(address).endpoint
        problem = http_client.check_address(asked, feature="notifications")
    if problem:
        raise InvalidInput(problem, field="address")
    hold_owner(person, team)
    owned = list(ContactMethod.objects.filter(person=person, team=team))
    if len(owned) >= MOST_METHODS:
        raise Conflict(f"There are {MOST_METHODS} already; remove one first.")
    if any(each.kind == kind and _is_known(each, kind, address) for each in owned):
        raise Conflict(
            "It is in the list already: have a code sent there if it is not verified.",
            field="address",
        )
    secret = _secret_for(kind)
    method = ContactMethod.objects.create(
        person=person,
        team=team,
        kind=kind,
        label=label.strip()[:100] or kind.label,
        sealed_address=encryption.encrypt(address),
        sealed_secret=encryption.encrypt(secret) if secret else "",
    )
    audit.record(
        act="contact_method.added",
        subject=method,
        actor=actor,
        now=now,
        changes={"kind": str(kind), "address": method.masked_address},
    )
    return method


def push_key() -> str:
    """Return the public key for which a browser subscribes."""
    return public_text(private_key(settings.TOKEN_PEPPER))


def _secret_for(kind: Kind) -> str:
    if kind is Kind.WEBHOOK:
        return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    return private_key(settings.TOKEN_PEPPER) if kind is Kind.WEB_PUSH else ""


@transaction.atomic
def rename_method(method: ContactMethod, *, label: str, actor: Who, now: datetime) -> None:
    """Have lists call a method something else.

    Raises:
        NotFound: It was removed meanwhile.
    """
    lock(method)
    changes = {"label": [method.label, label]}
    method.label = label
    method.save(update_fields=["label", "updated_at"])
    audit.record(
        act="contact_method.renamed", subject=method, actor=actor, now=now, changes=changes
    )


@transaction.atomic
def change_method(
    method: ContactMethod, *, fields: Mapping[str, Any], actor: Who, now: datetime
) -> ContactMethod:
    """Rename a method, switch it on or off; what is as it was is neither written nor told.

    Args:
        method: As it was read before.
        fields: `label` and `is_enabled`, where they are given.
        actor: Who.
        now: When.

    Raises:
        NotFound: It was removed meanwhile.
    """
    lock(method)
    if fields.get("label", method.label) != method.label:
        rename_method(method, label=fields["label"], actor=actor, now=now)
    if "is_enabled" in fields:
        set_enabled(method, enabled=fields["is_enabled"], actor=actor, now=now)
    return method


@transaction.atomic
def renew_secret(method: ContactMethod, *, actor: Who, now: datetime) -> str:
    """Give a webhook another secret and return it; the one before signs beside it for a day.

    Raises:
        Conflict: It is no webhook: nothing that its owner could check is signed.
        NotFound: It was removed meanwhile.
    """
    method = locked(method)
    if method.kind != Kind.WEBHOOK:
        raise Conflict("Only what goes to webhooks is signed.")
    secret = _secret_for(Kind.WEBHOOK)
    if method.sealed_secret:
        method.sealed_old_secret = method.sealed_secret
        method.old_secret_until = now + OLD_SECRET_LASTS
    method.sealed_secret = encryption.encrypt(secret)
    method.save(
        update_fields=["sealed_secret", "sealed_old_secret", "old_secret_until", "updated_at"]
    )
    audit.record(act="contact_method.secret_renewed", subject=method, actor=actor, now=now)
    return secret


@transaction.atomic
def remove_method(method: ContactMethod, *, actor: Who, now: datetime) -> None:
    """Remove a method and the rules that use it; pages that were sent by it stay.

    Raises:
        Conflict: A policy or the fallback contact calls it, which would then call nobody.
        NotFound: It was removed already.
    """
    # Waits for pages that are being made by it, which are then parted from it, too.
    method = locked(method, to_delete=True)
    if used_by := _is_used_by(method):
        raise Conflict(f"It is called by {used_by}: take it out there first.")
    name = audit.subject_name(method)
    NotificationRule.objects.filter(method=method).delete()
    method.delete()
    audit.record(act="contact_method.removed", subject=name, actor=actor, now=now)


def _is_used_by(method: ContactMethod) -> str:
    """Return what calls a team's channel, in words; "" where nothing does."""
    own = ContactMethod.objects.filter(pk=method.pk)
    policies = own.exclude(targets=None).values_list("targets__level__policy__name", flat=True)
    names = sorted(set(policies.order_by()))
    if own.exclude(fallbacks=None).exists():
        names.append("the fallback contact")
    return ", ".join(names)


def _is_known(method: ContactMethod, kind: Kind, address: str) -> bool:
    if kind is Kind.EMAIL:
        return method.known_address.casefold() == address.casefold()
    return method.known_address == address
