"""Names of rows that outsiders may know: they tell neither how many there are nor what they are."""

import secrets

__all__ = ["LENGTH", "is_public_id", "new_public_id"]

LENGTH = 12
# Nothing that is read as something else.
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"


def new_public_id() -> str:
    """Return a new one, by chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def is_public_id(name: str) -> bool:
    """Return whether a name can be one that was made here."""
    return len(name) == LENGTH and set(name) <= set(_LETTERS)
