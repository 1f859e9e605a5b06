"""Gives a test run its servers and its data folder before Django reads the settings.

Loaded with `-p tests.plugin` (pyproject.toml): a conftest would come too late, pytest-django reads
the settings first. Workers of pytest-xdist inherit everything through the environment.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from tests import migrated
from tests.servers import postgresql_server, redis_server

# A run must not send to, read from or page anything outside this machine.
ENVIRONMENT = {
    "DEMO": "0",
    "DEBUG": "0",
    "PORTAL_URL": "",
    "EMAIL_URL": "memorymail://",
    "OIDC_ISSUER": "",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

# How long an example takes says more of what else the machine does than of the code.
hypothesis.settings.register_profile("portal", deadline=None)
hypothesis.settings.load_profile("portal")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run choose its database."""
    parser.addoption(
        "--database",
        choices=("postgresql", "sqlite"),
        default="postgresql",
        help="Database the tests run on (default: %(default)s).",
    )
    parser.addoption(
        "--write-query-counts",
        action="store_true",
        help="Record how many queries each measured block takes (run without -n).",
    )


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Start what the settings need, then let pytest-django read them."""
    # Until all tests are collected nothing becomes garbage.
    gc.disable()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        stack = ExitStack()
        early_config.add_cleanup(stack.close)
        _prepare(early_config.known_args_namespace.database, stack)
    yield


def _prepare(database: str, stack: ExitStack) -> None:
    data = Path(tempfile.mkdtemp(prefix="sreportal-test-"))
    stack.callback(shutil.rmtree, data, ignore_errors=True)
    (data / "static").mkdir()
    os.environ.update(ENVIRONMENT, SREPORTAL_DATA=str(data))
    os.environ["REDIS_URL"] = stack.enter_context(redis_server())
    if database == "sqlite":
        os.environ["DATABASE_URL"] = ""
    else:
        url = os.environ["DATABASE_URL"] = stack.enter_context(postgresql_server())
        os.environ[migrated.ADDRESS] = stack.enter_context(migrated.database_beside(url))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest, so that workers end together.

    None of them may empty the database, as that takes along what migrations wrote: pytest-django
    puts such tests last.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run: all modules, and thousands of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which no test runs on SQLite, where that is what a run is about."""
    if config.getoption("database") != "sqlite" or not collection_path.name.startswith("test_"):
        return None
    return True if "both_databases" not in collection_path.read_text() else None


def pytest_report_header() -> str:
    """Say which servers this run uses, without their passwords."""
    database, broker = (urlsplit(os.environ[name]) for name in ("DATABASE_URL", "REDIS_URL"))
    shown = f"PostgreSQL {database.hostname}:{database.port}" if database.hostname else "SQLite"
    return f"servers: {shown}, Redis {broker.hostname}:{broker.port}"
