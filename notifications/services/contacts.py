"""Contact methods: added, verified by a code that was sent to them, tried, switched off."""

import base64
import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import User
from catalog.models import Team
from core import audit, encryption, http_client
from core.audit import Who
from core.errors import Conflict, InvalidInput, Unavailable
from notifications.domain.kinds import Kind, address_problem, normalized
from notifications.domain.messages import Message
from notifications.domain.web_push import private_key, public_text, read_subscription
from notifications.models import ContactMethod, NotificationRule
from notifications.transports import Recipient, TransportFailed, transport_for

__all__ = [
    "add_method",
    "push_key",
    "remove_method",
    "send_code",
    "set_enabled",
    "try_method",
    "verify",
]

MOST_METHODS = 20
CODE_LASTS = timedelta(minutes=15)
MOST_TRIES = 5
WAIT_BETWEEN_CODES = timedelta(seconds=30)


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
        Conflict: There are too many already.
    """
    address = normalized(kind, address)
    problem = address_problem(kind, address)
    if not problem and kind in {Kind.WEBHOOK, Kind.WEB_PUSH}:
        asked = address if kind is Kind.WEBHOOK else read_subscription(address).endpoint
        problem = http_client.check_address(asked, feature="notifications")
    if problem:
        raise InvalidInput(problem, field="address")
    owned = ContactMethod.objects.filter(person=person, team=team)
    if owned.count() >= MOST_METHODS:
        raise Conflict(f"There are {MOST_METHODS} already; remove one first.")
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


def send_code(method: ContactMethod, *, now: datetime) -> None:
    """Send a code to a method, by which its owner shows that it reaches them.

    Raises:
        Conflict: It is verified already, or the last code was sent just now.
        Unavailable: The provider did not take the message.
    """
    if method.verified_at is not None:
        raise Conflict("It is verified already.")
    expires = method.code_expires_at
    if expires and expires - CODE_LASTS + WAIT_BETWEEN_CODES > now:
        raise Conflict("A code was sent just now; wait half a minute.")
    code = f"{secrets.randbelow(1_000_000):06}"
    method.code_digest, method.code_expires_at = _digest(method, code), now + CODE_LASTS
    method.code_tries = 0
    method.save(update_fields=["code_digest", "code_expires_at", "code_tries", "updated_at"])
    text = f"Your code is {code}. It is good for 15 minutes."
    _send(method, f"Code {code} for the SRE portal", text, now=now)


@transaction.atomic
def verify(method: ContactMethod, code: str, *, actor: Who, now: datetime) -> bool:
    """Take a code; returns whether the method counts from now on.

    Raises:
        Conflict: No code is awaited, it is too old, or too many were wrong.
    """
    method = ContactMethod.objects.select_for_update(of=("self",)).get(pk=method.pk)
    if method.verified_at is not None:
        return True
    if not method.code_digest or method.code_expires_at is None or method.code_expires_at <= now:
        raise Conflict("The code is too old; have another one sent.")
    if method.code_tries >= MOST_TRIES:
        raise Conflict("Too many wrong codes; have another one sent.")
    if not hmac.compare_digest(method.code_digest, _digest(method, code.strip())):
        method.code_tries += 1
        method.save(update_fields=["code_tries", "updated_at"])
        return False
    method.verified_at, method.code_digest, method.code_expires_at = now, "", None
    method.save(update_fields=["verified_at", "code_digest", "code_expires_at", "updated_at"])
    audit.record(act="contact_method.verified", subject=method, actor=actor, now=now)
    return True


def try_method(method: ContactMethod, *, now: datetime) -> str:
    """Send a test to a method; returns the provider's id for it.

    Raises:
        Unavailable: The provider did not take the message; the reason is in it.
    """
    return _send(method, "Test from the SRE portal", "If you can read this, it works.", now=now)


@transaction.atomic
def set_enabled(method: ContactMethod, *, enabled: bool, actor: Who, now: datetime) -> None:
    """Switch a method on or off; one that is off is not used."""
    if method.is_enabled == enabled:
        return
    method.is_enabled = enabled
    method.save(update_fields=["is_enabled", "updated_at"])
    act = f"contact_method.{'enabled' if enabled else 'disabled'}"
    audit.record(act=act, subject=method, actor=actor, now=now)


@transaction.atomic
def remove_method(method: ContactMethod, *, actor: Who, now: datetime) -> None:
    """Remove a method and the rules that use it; pages that were sent by it stay."""
    # Waits for pages that are being made by it, which are then parted from it, too.
    ContactMethod.objects.select_for_update(of=("self",)).get(pk=method.pk)
    audit.record(act="contact_method.removed", subject=method, actor=actor, now=now)
    NotificationRule.objects.filter(method=method).delete()
    method.delete()


def _send(method: ContactMethod, subject: str, text: str, *, now: datetime) -> str:
    kind = Kind(method.kind)
    secret = encryption.decrypt(method.sealed_secret) if method.sealed_secret else ""
    message = Message(
        key=secrets.token_hex(32), subject=subject, text=text, url=settings.PORTAL_URL
    )
    try:
        found = transport_for(kind).send(message, Recipient(method.address, secret))
    except TransportFailed as error:
        ContactMethod.objects.filter(pk=method.pk).update(failed_at=now, problem=str(error)[:500])
        raise Unavailable(f"It was not sent: {error}") from error
    ContactMethod.objects.filter(pk=method.pk).update(delivered_at=now, problem="")
    return found


def _digest(method: ContactMethod, code: str) -> str:
    key = settings.TOKEN_PEPPER.encode()
    return hmac.new(key, f"{method.pk}:{code}".encode(), "sha256").hexdigest()
