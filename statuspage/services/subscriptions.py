"""Who is told by email: asked for by anybody, confirmed by the owner of the address, ended by one click.

Addresses of outsiders are kept out of the audit, which forgets nothing: they are gone when they
unsubscribe.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from core.errors import InvalidInput, NotFound
from core.locking import hold, lock_in_order
from statuspage.models import Component, Subscriber, SubscriptionRequest
from statuspage.tokens import Purpose, key_of

__all__ = [
    "UNANSWERED",
    "ask",
    "confirm",
    "forget_unanswered",
    "may_be_asked",
    "request_of",
    "subscriber_of",
    "unsubscribe",
]

# Who did not answer by then did not ask.
UNANSWERED = timedelta(days=3)
# In that time nobody is asked more often, wherever and whenever somebody types their address.
MOST_UNANSWERED = 3
_OVER = "This link is no longer valid. Subscribe again on the status page."


@transaction.atomic
def ask(*, email: str, components: Collection[Component], now: datetime) -> SubscriptionRequest:
    """Have the owner of an address asked whether they want this; the worker sends the question.

    The same is done for addresses that are known, so nobody learns which are.

    Args:
        email: As it was typed.
        components: What they want to hear of; none is all.
        now: When.

    Raises:
        InvalidInput: All that they want to hear of was deleted meanwhile.
    """
    # Held: whoever deletes one of them finds who asked for it, or comes first and is found.
    there = lock_in_order(Component.objects.filter(pk__in=[part.pk for part in components]))
    if components and not there:
        raise InvalidInput("None of them is listed any more: choose anew.", field="components")
    row = SubscriptionRequest.objects.create(email=email.lower(), requested_at=now, send_at=now)
    row.components.set(there)
    return row


def may_be_asked(email: str) -> bool:
    """Return whether the owner of an address can be asked once more; anybody can type it.

    Ask within the transaction that has them asked: whoever asks of the same mailbox waits for its end.
    Addresses that differ by what follows a plus sign reach the same mailbox.
    """
    local, _, domain = email.lower().rpartition("@")
    mailbox = local.partition("+")[0]
    hold(f"statuspage:mailbox:{mailbox}@{domain}")
    same = Q(email=f"{mailbox}@{domain}") | Q(
        email__startswith=f"{mailbox}+", email__endswith=f"@{domain}"
    )
    return SubscriptionRequest.objects.filter(same).count() < MOST_UNANSWERED


def request_of(token: str, *, now: datetime) -> SubscriptionRequest:
    """Return what a link of confirmation is about.

    Raises:
        NotFound: It was not made here, is too old, or was used.
    """
    key = key_of(token, Purpose.CONFIRM)
    rows = SubscriptionRequest.objects.filter(key=key, requested_at__gt=now - UNANSWERED)
    found = rows.first() if key else None
    if found is None:
        raise NotFound(_OVER)
    return found


@transaction.atomic
def confirm(token: str, *, now: datetime) -> Subscriber:
    """Subscribe whoever has the link; of somebody who was, what they want to hear of is replaced.

    Raises:
        NotFound: The link is not valid, or was used.
    """
    asked = request_of(token, now=now)
    wanted = asked.components.values("pk")
    is_of_some = asked.components.exists()
    # Held before the question is used up, in the order of whoever deletes one of them.
    there = lock_in_order(Component.objects.filter(pk__in=wanted))
    # Whoever deletes it uses it up; the other of two finds nothing.
    used = SubscriptionRequest.objects.filter(pk=asked.pk).delete()[1]
    if not used.get(SubscriptionRequest._meta.label) or (is_of_some and not there):
        raise NotFound(_OVER)
    row, _ = Subscriber.objects.get_or_create(email=asked.email, defaults={"confirmed_at": now})
    row.components.set(there)
    return row


def subscriber_of(token: str) -> Subscriber | None:
    """Return whose link to unsubscribe it is; None where they are gone already.

    Raises:
        NotFound: It was not made here.
    """
    key = key_of(token, Purpose.UNSUBSCRIBE)
    if key is None:
        raise NotFound(_OVER)
    return Subscriber.objects.filter(key=key).first()


@transaction.atomic
def unsubscribe(token: str) -> None:
    """Forget somebody, and what was to be sent to them; again changes nothing.

    Raises:
        NotFound: The link was not made here.
    """
    found = subscriber_of(token)
    if found is not None:
        # What they were asked meanwhile holds the address, too.
        SubscriptionRequest.objects.filter(email=found.email).delete()
        found.delete()


def forget_unanswered(*, now: datetime) -> int:
    """Forget addresses whose owners did not answer; returns how many."""
    old = SubscriptionRequest.objects.filter(requested_at__lte=now - UNANSWERED)
    return old.delete()[1].get(SubscriptionRequest._meta.label, 0)
