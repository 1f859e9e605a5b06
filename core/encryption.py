"""Secrets at rest: encrypted with keys that are not in the database.

The keys come from `ENCRYPTION_KEYS`, newest first, else from one file in the data folder. What an
older key encrypted stays readable as long as that key is listed.
"""

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["decrypt", "encrypt", "is_current", "reencrypt"]


def encrypt(text: str) -> str:
    """Return `text` encrypted with the newest key."""
    return _box(tuple(settings.ENCRYPTION_KEYS)).encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return what `encrypt` was given.

    Raises:
        cryptography.fernet.InvalidToken: No listed key fits, or the text was tampered with.
    """
    return _box(tuple(settings.ENCRYPTION_KEYS)).decrypt(encrypted.encode()).decode()


def is_current(encrypted: str) -> bool:
    """Return whether the newest key alone opens it."""
    try:
        _box(tuple(settings.ENCRYPTION_KEYS[:1])).decrypt(encrypted.encode())
    except InvalidToken:
        return False
    return True


def reencrypt(encrypted: str) -> str:
    """Return the same text encrypted with the newest key.

    Raises:
        cryptography.fernet.InvalidToken: No listed key fits, or the text was tampered with.
    """
    return _box(tuple(settings.ENCRYPTION_KEYS)).rotate(encrypted.encode()).decode()


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_fernet_key(key)) for key in keys])


def _fernet_key(text: str) -> bytes:
    # Any long secret will do as a key: Fernet wants 32 bytes, so it is hashed to that.
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
