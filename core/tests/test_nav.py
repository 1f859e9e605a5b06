"""The navigation as data."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from core import nav


@pytest.fixture
def counts() -> Iterator[None]:
    """Put the counts back as they were."""
    before = dict(nav._COUNTS)
    yield
    nav._COUNTS.clear()
    nav._COUNTS.update(before)


def labels(user: User | AnonymousUser, path: str = "/") -> list[str]:
    """Return what the navigation offers."""
    return [link.label for _, links in nav.links(user, path) for link in links]


@pytest.mark.urls("core.tests.gallery")
def test_only_existing_addresses_are_offered() -> None:
    """Every entry leads somewhere."""
    for _, links in nav.links(User(is_staff=True, username="a"), "/"):
        assert all(nav.exists(link.href) for link in links)
    assert not nav.exists("/nowhere/at/all")


def test_keys_are_unique() -> None:
    """No two entries answer to the same key after g."""
    keys = [entry.key for group in nav.GROUPS for entry in group.entries if entry.key]
    assert len(keys) == len(set(keys))


def test_admin_is_for_staff() -> None:
    """Who may not open the admin is not sent there."""
    assert "Admin" in labels(User(is_staff=True, username="a"))
    assert "Admin" not in labels(User())
    assert "Admin" not in labels(AnonymousUser())


@pytest.mark.urls("core.tests.gallery")
def test_a_page_below_an_entry_marks_it() -> None:
    """On a page of a section the section is current; the overview only on itself."""
    current = [
        link.label
        for _, links in nav.links(User(), "/slo/checkout/")
        for link in links
        if link.current
    ]
    assert current == ["Objectives"]


def test_only_the_nearest_entry_is_marked() -> None:
    """Analytics lies below the incidents, and is an entry of its own."""
    links = [link for _, found in nav.links(User(), "/incidents/analytics/") for link in found]
    assert [link.label for link in links if link.current] == ["Analytics"]


@pytest.mark.urls("core.tests.gallery")
@pytest.mark.usefixtures("counts")
def test_counts_stand_beside_their_entry() -> None:
    """An app can show a number beside its entry, asked for each person."""
    nav.count("/alerts/", lambda user: 3 if user.get_username() == "alice" else None)
    shown = {
        link.label: link.count
        for _, links in nav.links(User(username="alice"), "/")
        for link in links
    }
    assert shown["Alerts"] == 3
    assert shown["Services"] is None
