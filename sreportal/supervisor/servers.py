"""PostgreSQL and Redis that somebody else runs: whether they let the portal in."""

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import DatabaseError, connection
from kombu.connection import Connection
from kombu.exceptions import KombuError
from redis import RedisError

from sreportal.supervisor.claims import CannotStart


def require_database(address: str) -> None:
    """Check that PostgreSQL lets us in.

    Raises:
        CannotStart: If it does not; the message says why and holds no password.
    """
    try:
        connection.ensure_connection()
    except DatabaseError as error:
        why = _first_line(error, address)
        raise CannotStart(
            f"PostgreSQL cannot be used: {why}. Check DATABASE_URL and that the server runs."
        ) from None


def require_redis(address: str) -> None:
    """Check that Redis lets us in.

    Raises:
        CannotStart: If it does not; the message says why and holds no password.
    """
    options = {"socket_timeout": 2, "socket_connect_timeout": 2}
    client = Connection(settings.CELERY_BROKER_URL, transport_options=options)
    try:
        with client:
            client.ensure_connection(max_retries=1, interval_start=0, timeout=3)
    except (OSError, KombuError, RedisError) as error:
        why = _first_line(error, address)
        raise CannotStart(
            f"Redis cannot be used: {why}. Check REDIS_URL and that the server runs."
        ) from None


def _first_line(error: Exception, address: str) -> str:
    """Return what the driver says, in one line, without the password of `address`."""
    said = next(
        (line.strip() for line in str(error).splitlines() if line.strip()), "no reason given"
    )
    secret = urlsplit(address).password or ""
    for form in filter(None, {secret, unquote(secret)}):
        said = said.replace(form, "***")
    return said.rstrip(".")
