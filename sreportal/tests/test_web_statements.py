"""How long PostgreSQL works on one statement: for a page less than for what works by itself."""

from typing import Any

import pytest
from django.db import connections

from sreportal.gunicorn_conf import end_statements_sooner

pytestmark = pytest.mark.django_db


def _timeout(*, of_the_web: bool) -> str:
    """Return what a new connection says."""
    made = connections["default"].copy("other")
    if of_the_web:
        end_statements_sooner(made.settings_dict)
    try:
        with made.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            (said,) = cursor.fetchone()
            return str(said)
    finally:
        made.close()


def test_a_web_process_gives_a_statement_fifteen_seconds() -> None:
    assert _timeout(of_the_web=False) == "30s"
    assert _timeout(of_the_web=True) == "15s"


def test_sqlite_has_no_such_limit() -> None:
    config: dict[str, Any] = {"OPTIONS": {"timeout": 20}}
    end_statements_sooner(config)
    assert config["OPTIONS"] == {"timeout": 20}
