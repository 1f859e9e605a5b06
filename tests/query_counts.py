"""Query budgets: how many SQL queries a page or a call may take, checked in beside each app's tests.

    def test_list_is_flat(client: Client, assert_queries: AssertQueries) -> None:
        with assert_queries("catalog:service-list"):
            client.get("/services/")

The budget is the number in `<app>/tests/query_counts.json`. More queries fail, and so do fewer: a
budget that is no longer needed would hide the next regression. `--write-query-counts` records what
the run took; the diff is reviewed like code.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

AssertQueries = Callable[[str], AbstractContextManager[None]]
FILE = "query_counts.json"


def budgets(path: Path) -> dict[str, int]:
    """Return the recorded budgets by name."""
    counts: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    return counts


@pytest.fixture
def assert_queries(request: pytest.FixtureRequest, db: None) -> AssertQueries:
    """Return a context manager that holds its block to the budget recorded under a name."""
    path = request.path.with_name(FILE)
    write = request.config.getoption("--write-query-counts")

    @contextmanager
    def measure(name: str) -> Iterator[None]:
        with CaptureQueriesContext(connection) as captured:
            yield
        count, recorded = len(captured), budgets(path)
        if write:
            path.write_text(json.dumps({**recorded, name: count}, indent=2, sort_keys=True) + "\n")
            return
        statements = "\n".join(query["sql"] for query in captured.captured_queries)
        assert count == recorded.get(name), (
            f"{name} took {count} queries, {path.parent.parent.name} records {recorded.get(name)}"
            f" (--write-query-counts records anew):\n{statements}"
        )

    return measure
