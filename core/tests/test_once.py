"""What is sent once: a second time does nothing, and what went wrong the first time is no first time."""

from unittest.mock import patch

import pytest
from django.core.cache.backends.db import DatabaseCache

from core.once import is_first_time, made_by, remember

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_token_comes_for_the_first_time_once() -> None:
    """Whatever was made by it is known to whoever sends it again."""
    assert is_first_time("a")
    remember("a", 7)
    assert not is_first_time("a")
    assert made_by("a") == 7
    assert is_first_time("b")


def test_who_sends_no_token_is_always_the_first() -> None:
    """A page of an older version has none."""
    assert is_first_time("")
    assert is_first_time("")


def test_a_token_that_could_not_be_stored_has_not_come_before() -> None:
    """The cache swallows what the database refuses; what is asked for must not be swallowed with it."""
    with patch.object(DatabaseCache, "add", return_value=False):
        assert is_first_time("a")
