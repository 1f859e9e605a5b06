"""What every test run needs: the portal's own settings, with few and named exceptions."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from sreportal.celery import app as celery_app
from tests import migrated
from tests.populated import populated_portal
from tests.query_counts import assert_queries

__all__ = ["assert_queries", "populated_portal"]


@pytest.fixture(scope="session", autouse=True)
def _quick_settings() -> Iterator[None]:
    """Cheap passwords, and static files that need no `collectstatic`."""
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        STORAGES={
            **settings.STORAGES,
            "staticfiles": {
                "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
            },
        },
    ):
        yield


@pytest.fixture(autouse=True)
def _just_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the run lasts, no test finds the process late for its first tick."""
    monkeypatch.setattr("users_api.health._STARTED", time.monotonic())


@pytest.fixture(scope="session", autouse=True)
def _own_redis_keys() -> None:
    """A Redis may be shared with others: all keys of this run begin with its data folder's name."""
    prefix = f"{settings.DATA_DIR.name}:"
    celery_app.conf.broker_transport_options = {
        **settings.CELERY_BROKER_TRANSPORT_OPTIONS,
        "global_keyprefix": prefix,
    }


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Give each worker a copy of one migrated database.

    SQLite's is a file, as in production, so that threads share it. Overrides the fixture of
    pytest-django.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    database: dict[str, Any] = settings.DATABASES["default"]
    name = f"test_{Path(database['NAME']).stem}_{worker}"
    of_test = database.setdefault("TEST", {})
    of_test["MIGRATE"] = False
    if settings.EMBEDDED_DATABASE:
        of_test["NAME"] = migrated.copied_file(settings.DATA_DIR, name)
    else:
        of_test |= {"NAME": name, "TEMPLATE": migrated.name_of_template(settings.DATA_DIR)}


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Begin with the copied file; the run's folder is removed with it."""
    return bool(settings.EMBEDDED_DATABASE)
