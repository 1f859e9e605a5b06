"""Settings that are valid one by one and dangerous together."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import override_settings

from sreportal import checks
from sreportal.env import BASE_DIR
from sreportal.tests.running_portal import plain_environment

PRODUCTION = {
    "PORTAL_URL": "https://sre.example.org",
    "DATABASE_URL": "postgres://portal:pass@database/portal",
    "REDIS_URL": "redis://redis:6379/0",
}


@pytest.mark.parametrize(
    "more",
    [{}, {"DATABASE_URL": "", "REDIS_URL": ""}],
    ids=["postgresql and redis", "embedded"],
)
def test_deployment_checks_are_clean(tmp_path: Path, more: dict[str, str]) -> None:
    """A portal configured as the documentation says has nothing to warn of."""
    secret = {"SECRET_KEY": secrets.token_urlsafe(64), "SREPORTAL_DATA": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE_DIR,
        env=plain_environment(**PRODUCTION, **secret) | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_debug_pages_never_face_others() -> None:
    """DEBUG on an address others reach is an error: the start is refused."""
    with override_settings(DEBUG=True, BIND="0.0.0.0"):
        assert "sreportal.E001" in {message.id for message in checks.check_exposure()}
    with override_settings(DEBUG=True, BIND="127.0.0.1"):
        assert checks.check_exposure() == []


def test_open_users_api_is_pointed_out() -> None:
    """A portal opened to the network serves no persons to strangers unnoticed."""
    with override_settings(USERS_API_ANONYMOUS=True, BIND="::"):
        assert "sreportal.W002" in {message.id for message in checks.check_exposure()}


def test_sqlite_serves_one_web_process() -> None:
    """More web processes on SQLite are pointed out; on PostgreSQL they are fine."""
    with override_settings(EMBEDDED_DATABASE=True, WEB_WORKERS=2):
        assert {message.id for message in checks.check_storage()} == {"sreportal.W003"}
    with override_settings(EMBEDDED_DATABASE=False, EMBEDDED_BROKER=False, WEB_WORKERS=2):
        assert checks.check_storage() == []


def test_production_names_its_address_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines need one address and one key; the defaults are one machine's."""
    for name in ("PORTAL_URL", "SECRET_KEY"):
        monkeypatch.delitem(os.environ, name, raising=False)
    with override_settings(EMBEDDED_DATABASE=False):
        found = {message.id for message in checks.check_deployment()}
    assert found == {"sreportal.W005", "sreportal.W006"}
