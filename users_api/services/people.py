"""Changes of persons: each commits before it returns, or says why it did not."""

from collections.abc import Callable
from typing import TypeVar

from django.db import IntegrityError, transaction

from core.errors import Conflict, NotFound
from users_api.degradation import write
from users_api.models import Person

__all__ = ["create_person", "delete_person", "delete_persons_of_domain", "update_person"]

T = TypeVar("T")

UNKNOWN = "There is no such person."
TAKEN = "Another person has this email."


def create_person(*, name: str, email: str) -> Person:
    """Store a new person.

    Raises:
        Conflict: Another person has this email, whatever its case (field `email`).
        Unavailable: The database does not answer.
    """

    def insert() -> Person:
        with transaction.atomic():
            return Person.objects.create(name=name, email=normalise_email(email))

    return _unless_taken(insert)


def update_person(person_id: int, *, name: str | None = None, email: str | None = None) -> Person:
    """Change the fields that are given.

    Raises:
        NotFound: There is no such person.
        Conflict: Another person has this email, whatever its case (field `email`).
        Unavailable: The database does not answer.
    """

    def change() -> Person | None:
        with transaction.atomic():
            person = Person.objects.select_for_update().filter(pk=person_id).first()
            if person is None:
                return None
            person.name = person.name if name is None else name
            person.email = person.email if email is None else normalise_email(email)
            person.save(update_fields=["name", "email", "updated_at"])
            return person

    changed = _unless_taken(change)
    if changed is None:
        raise NotFound(UNKNOWN)
    return changed


def delete_person(person_id: int) -> None:
    """Remove a person.

    Raises:
        NotFound: There is no such person.
        Unavailable: The database does not answer.
    """
    deleted, _ = write(Person.objects.filter(pk=person_id).delete)
    if not deleted:
        raise NotFound(UNKNOWN)


def delete_persons_of_domain(domain: str) -> int:
    """Remove everybody with an email at `domain` and return how many there were."""
    return Person.objects.filter(email__iendswith=f"@{domain}").delete()[0]


def normalise_email(email: str) -> str:
    """Return the email with its domain in lower case; the part before it stays as written."""
    local, _, domain = email.rpartition("@")
    return f"{local}@{domain.lower()}"


def _unless_taken(change: Callable[[], T]) -> T:
    try:
        return write(change)
    except IntegrityError as error:
        raise Conflict(TAKEN, field="email") from error
