"""Forms that are sent once: a reload of the answer, or a second tap, does nothing more."""

from django.core.cache import cache

__all__ = ["is_first_time", "made_by", "remember"]

_REMEMBERED_S = 24 * 3600


def is_first_time(token: str) -> bool:
    """Return whether a form with this token comes for the first time within a day.

    Ask within the transaction that does what the form asks: where that is refused, the token is as
    new as before.

    Args:
        token: Made by chance for each showing of the form; "" where the sender has none.
    """
    if not token or cache.add(_key(token), 0, _REMEMBERED_S):
        return True
    # The cache says nothing of what the database refused: only what is there has come before.
    return cache.get(_key(token)) is None


def remember(token: str, made: int) -> None:
    """Keep the id of what the form with this token made, for whoever sends it again."""
    if token:
        cache.set(_key(token), made, _REMEMBERED_S)


def made_by(token: str) -> int | None:
    """Return the id of what the form with this token made; None where it is not known."""
    return cache.get(_key(token)) or None


def _key(token: str) -> str:
    return f"once:{token}"
