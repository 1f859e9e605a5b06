"""Django system checks for settings that are each valid and together dangerous.

`manage.py check --deploy --fail-level WARNING` runs all of them; `sreportal.wiring` registers them.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from sreportal import env


def _reachable_by_others(address: str) -> bool:
    try:
        return not ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address != "localhost"


def check_exposure(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """What must not be open to other machines."""
    found: list[CheckMessage] = []
    exposed = _reachable_by_others(settings.BIND)
    if settings.DEBUG and exposed:
        found.append(
            Error(
                f"DEBUG shows settings and code to whoever reaches {settings.BIND}.",
                hint="Unset DEBUG, or BIND=127.0.0.1.",
                id="sreportal.E001",
            )
        )
    if exposed and not env.read("PORTAL_URL"):
        found.append(
            checks.Warning(
                f"The portal listens on {settings.BIND} without PORTAL_URL: links point to this "
                "machine's loopback and sign-in goes over plain HTTP.",
                hint="Set PORTAL_URL to the address people use, e.g. https://sre.example.org.",
                id="sreportal.W001",
            )
        )
    if settings.USERS_API_ANONYMOUS and exposed:
        found.append(
            checks.Warning(
                f"Anyone who reaches {settings.BIND} can change persons at /api/users.",
                hint="USERS_API_ANONYMOUS=0",
                id="sreportal.W002",
            )
        )
    return found


def check_storage(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """Whether database, broker and number of processes fit together."""
    found: list[CheckMessage] = []
    if settings.EMBEDDED_DATABASE and settings.WEB_WORKERS > 1:
        found.append(
            checks.Warning(
                "SQLite lets one process write at a time: more web processes only wait.",
                hint="WEB_WORKERS=1, or DATABASE_URL with a PostgreSQL address.",
                id="sreportal.W003",
            )
        )
    if not settings.EMBEDDED_DATABASE and settings.EMBEDDED_BROKER:
        found.append(
            checks.Warning(
                "PostgreSQL is given but no Redis: the embedded broker serves one machine only.",
                hint="Set REDIS_URL.",
                id="sreportal.W004",
            )
        )
    return found


def check_deployment(
    app_configs: Sequence[AppConfig] | None = None, **_: Any
) -> list[CheckMessage]:
    """What a production with its own database must set itself."""
    if settings.EMBEDDED_DATABASE:
        return []
    found: list[CheckMessage] = []
    if not env.read("PORTAL_URL"):
        found.append(
            checks.Warning(
                "PORTAL_URL is not set: links in messages point to this machine's loopback.",
                hint="Set it to the address people use, e.g. https://sre.example.org.",
                id="sreportal.W005",
            )
        )
    if not env.read("SECRET_KEY"):
        found.append(
            checks.Warning(
                "SECRET_KEY is generated in the data folder: processes on other machines sign "
                "with another key.",
                hint="Give every process the same SECRET_KEY.",
                id="sreportal.W006",
            )
        )
    return found
