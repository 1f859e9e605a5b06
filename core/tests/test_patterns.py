"""Patterns of people on texts of strangers: they answer at once, or say that they are none."""

import time

import pytest

from core.patterns import matches_whole, pattern_problem


@pytest.mark.parametrize(
    "pattern", ["(a|a)*b", "(a+)+b", "(a|aa)+b", ".*.*.*.*.*b", "a?" * 30 + "a" * 30 + "b"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Each would keep Python's own busy for years."""
    began = time.process_time()
    assert matches_whole(pattern, "a" * 20_000) is False
    assert time.process_time() - began < 2


def test_all_of_the_text_has_to_fit() -> None:
    """As in Alertmanager, where patterns are anchored."""
    assert matches_whole("web-[0-9]+", "web-12") is True
    assert matches_whole("web-[0-9]+", "web-12.example") is False
    assert matches_whole("", "") is True
    assert matches_whole("gr.n", "grün") is True


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", r"(a)\1", "a{2000}", "[z-a]", "\ud800"])
def test_what_is_no_pattern_is_said(pattern: str) -> None:
    """Neither yes nor no comes of it."""
    assert pattern_problem(pattern)
    assert matches_whole(pattern, "a") is None


def test_half_a_character_is_another_one() -> None:
    """A text that cannot be written down matches nothing by accident, and breaks nothing."""
    assert matches_whole("a.b", "a\ud800b") is True
    assert matches_whole("ab", "a\ud800b") is False
