"""Query budgets are kept to the number."""

import json
from pathlib import Path

import pytest

from core.models import JobSlot
from tests.query_counts import AssertQueries, budgets

BUDGETS = Path(__file__).with_name("query_counts.json")


def test_block_within_its_budget_passes(assert_queries: AssertQueries) -> None:
    """One recorded query, one query made."""
    with assert_queries("one query"):
        assert not JobSlot.objects.exists()


def test_one_query_more_fails_and_shows_the_sql(assert_queries: AssertQueries) -> None:
    """The failure names the budget and prints what was asked of the database."""
    with (
        pytest.raises(AssertionError, match=r"took 2 queries, (?s:.)*core_jobslot"),
        assert_queries("one query"),
    ):
        assert not JobSlot.objects.exists()
        assert not JobSlot.objects.exists()


def test_budget_without_need_fails(assert_queries: AssertQueries) -> None:
    """A query saved is a budget lowered, else it hides the next one."""
    with pytest.raises(AssertionError, match="took 0 queries"), assert_queries("one query"):
        pass


def test_unrecorded_name_fails(assert_queries: AssertQueries) -> None:
    """A new measurement has to be recorded, and so reviewed."""
    with pytest.raises(AssertionError, match="records None"), assert_queries("never recorded"):
        pass


def test_recorded_budgets_are_sorted() -> None:
    """A new line lands where a reader expects it, so that diffs stay small."""
    assert BUDGETS.read_text() == json.dumps(budgets(BUDGETS), indent=2, sort_keys=True) + "\n"
