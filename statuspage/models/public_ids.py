"""Names of rows that outsiders may know: they tell neither how many there are nor what they are."""

import secrets

__all__ = ["LENGTH", "new_public_id"]

LENGTH = 12
# Nothing that is read as something else.
_LETTERS = "bcdfghjkmnpqrstvwxz23456789"


def new_public_id() -> str:
    """Return a new one, by chance."""
    return "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))
