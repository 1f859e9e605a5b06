"""Trials of contact methods: a code that shows whose it is, and a test that shows that it works.

Whoever is signed in may have them sent to any address. So that nobody makes the portal ring a
stranger, or spend its owner's money, what goes to one address and for one owner is limited.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.models import User
from catalog.models import Team
from core import audit
from core.audit import Who
from core.errors import Conflict, Unavailable
from core.locking import lock, locked
from notifications.domain.kinds import Kind
from notifications.domain.messages import Message
from notifications.models import ContactMethod, TrialMessage
from notifications.services.switching import end_method
from notifications.transports import Recipient, TransportFailed, transport_for

__all__ = ["hold_owner", "send_code", "try_method", "verify"]

CODE_LASTS = timedelta(minutes=15)
MOST_TRIES = 5
WAIT_BETWEEN_CODES = timedelta(seconds=30)
WAIT_BETWEEN_TESTS = timedelta(seconds=10)
COUNTED_FOR = timedelta(hours=1)
# Within that time. Somebody sets up all their ways at once; a wrong address is seen by then.
MOST_CODES_OF_ONE = 10
MOST_CODES_TO_ONE = 3
MOST_TESTS_TO_ONE = 20
_CODE = ["code_digest", "code_expires_at", "code_tries"]


def hold_owner(person: User | None, team: Team | None) -> None:
    """Have whoever else changes or tries the methods of one owner wait for this transaction."""
    if person is not None:
        User.objects.select_for_update(no_key=True, of=("self",)).get(pk=person.pk)
    if team is not None:
        Team.objects.select_for_update(no_key=True, of=("self",)).get(pk=team.pk)


def send_code(method: ContactMethod, *, now: datetime) -> None:
    """Send a code to a method, by which its owner shows that it reaches them.

    Where it certainly was not sent, the code before is the one that counts, and another can be sent
    at once.

    Raises:
        Conflict: It is verified already, the last code was sent just now, or too many were.
        NotFound: It was removed meanwhile.
        Unavailable: The provider did not take the message.
    """
    code = f"{secrets.randbelow(1_000_000):06}"
    trial, before = _begin_code(method, code, now=now)
    text = f"Your code is {code}. It is good for 15 minutes."
    try:
        _send(method, "code", f"Code {code} for the SRE portal", text, now=now)
    except TransportFailed as error:
        if not error.is_uncertain:
            trial.delete()
            mine = ContactMethod.objects.filter(pk=method.pk, code_digest=_digest(method, code))
            mine.update(**before)
        raise Unavailable(f"The code was not sent: {error}") from error


@transaction.atomic
def _begin_code(
    method: ContactMethod, code: str, *, now: datetime
) -> tuple[TrialMessage, dict[str, Any]]:
    """Have a code be the one that counts; returns what counts its sending, and the code before."""
    hold_owner(method.person, method.team)
    lock(method)
    if method.verified_at is not None:
        raise Conflict("It is verified already.")
    expires = method.code_expires_at
    if expires and expires - CODE_LASTS + WAIT_BETWEEN_CODES > now:
        raise Conflict("A code was sent just now; wait half a minute.")
    lately = TrialMessage.objects.filter(is_test=False, at__gt=now - COUNTED_FOR)
    if lately.filter(address_digest=_address_digest(method)).count() >= MOST_CODES_TO_ONE:
        raise Conflict("Too many codes were sent there: have the next one sent in an hour.")
    if lately.filter(owner=_owner(method)).count() >= MOST_CODES_OF_ONE:
        raise Conflict("Too many codes were sent for you: have the next one sent in an hour.")
    before = {name: getattr(method, name) for name in _CODE}
    method.code_digest, method.code_expires_at = _digest(method, code), now + CODE_LASTS
    method.code_tries = 0
    method.save(update_fields=[*_CODE, "updated_at"])
    return _note(method, is_test=False, now=now), before


@transaction.atomic
def verify(method: ContactMethod, code: str, *, actor: Who, now: datetime) -> bool:
    """Take a code; returns whether the method counts from now on.

    Raises:
        Conflict: No code is awaited, it is too old, or too many were wrong.
        NotFound: It was removed meanwhile.
    """
    method = locked(method)
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
        Conflict: Nobody has shown yet whose it is, or it was tried just now or too often.
        Unavailable: The provider did not take the message; the reason is in it.
    """
    trial = _begin_test(method, now=now)
    text = "If you can read this, it works."
    try:
        return _send(method, "test", "Test from the SRE portal", text, now=now)
    except TransportFailed as error:
        if not error.is_uncertain:
            trial.delete()
        raise Unavailable(f"It was not sent: {error}") from error


@transaction.atomic
def _begin_test(method: ContactMethod, *, now: datetime) -> TrialMessage:
    hold_owner(method.person, method.team)
    if method.verified_at is None:
        raise Conflict("Verify it first: enter the code that was sent by it.")
    there = TrialMessage.objects.filter(is_test=True, address_digest=_address_digest(method))
    if there.filter(at__gt=now - WAIT_BETWEEN_TESTS).exists():
        raise Conflict("A test was sent just now; wait ten seconds.")
    if there.filter(at__gt=now - COUNTED_FOR).count() >= MOST_TESTS_TO_ONE:
        raise Conflict("Too many tests were sent there: try it again in an hour.")
    return _note(method, is_test=True, now=now)


def _note(method: ContactMethod, *, is_test: bool, now: datetime) -> TrialMessage:
    TrialMessage.objects.filter(at__lt=now - COUNTED_FOR).delete()
    return TrialMessage.objects.create(
        owner=_owner(method), address_digest=_address_digest(method), is_test=is_test, at=now
    )


def _send(method: ContactMethod, what: str, subject: str, text: str, *, now: datetime) -> str:
    """Send a message to a method, and note on it what became of that.

    Raises:
        TransportFailed: It was not taken.
    """
    message = Message(
        key=secrets.token_hex(32),
        subject=subject,
        text=text,
        url=settings.PORTAL_URL,
        facts={"type": what},
    )
    recipient = Recipient(method.address, method.secrets_at(now))
    stored = ContactMethod.objects.filter(pk=method.pk)
    try:
        found = transport_for(Kind(method.kind)).send(message, recipient)
    except TransportFailed as error:
        stored.update(failed_at=now, problem=str(error)[:500])
        if error.is_gone:
            end_method(method.pk, now=now)
        raise
    stored.update(delivered_at=now, problem="")
    return found


def _owner(method: ContactMethod) -> str:
    return f"team:{method.team_id}" if method.person_id is None else f"user:{method.person_id}"


def _digest(method: ContactMethod, code: str) -> str:
    return _keyed(f"{method.pk}:{code}")


def _address_digest(method: ContactMethod) -> str:
    if not (address := method.known_address):
        raise Conflict("No key of ENCRYPTION_KEYS opens its address: remove it, add it again.")
    return _keyed(f"{method.kind}:{address.casefold()}")


def _keyed(text: str) -> str:
    return hmac.new(settings.TOKEN_PEPPER.encode(), text.encode(), "sha256").hexdigest()
