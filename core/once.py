"""Forms that are sent once: a reload of the answer, or a second click, does nothing more."""

from django.core.cache import cache

__all__ = ["is_first_time"]

_REMEMBERED_S = 24 * 3600


def is_first_time(token: str) -> bool:
    """Return whether a form with this token comes for the first time within a day.

    Ask within the transaction that does what the form asks: where that is refused, the token is as
    new as before.

    Args:
        token: Made by chance for each showing of the form; "" where the sender has none.
    """
    return not token or cache.add(f"once:{token}", 1, _REMEMBERED_S)
