"""Under which endpoint a path is counted."""

import pytest

from telemetry.domain.access_logs.endpoints import MAX_NAMES, BadPattern, EndpointNames


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/users/42?page=2", "/users/:id"),
        ("/users/9b2e1f60-7c1a-4c1e-9a53-0f0d1a2b3c4d/orders/7", "/users/:id/orders/:id"),
        ("/blob/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/blob/:id"),
        ("/mail/alice@example.org", "/mail/:id"),
        ("https://shop.example:443/users/1", "/users/:id"),
        ("http://shop.example", "/"),
        ("/api/v1/users", "/api/v1/users"),
        ("/decade", "/decade"),
        ("/a;jsessionid=77", "/a"),
        ("*", "(unmatched)"),
        ("", "(unmatched)"),
        ("http://[broken", "(unmatched)"),
    ],
)
def test_identifiers_in_a_path_become_one_name(target: str, name: str) -> None:
    """An SLI is about a route, not about one of its addresses."""
    assert EndpointNames().name(target, 200) == name


@pytest.mark.parametrize(
    "pattern", ["/users/:name", "/users/<str:name>", "/users/{name}", "/users/*"]
)
def test_a_pattern_names_what_matches_it(pattern: str) -> None:
    """Patterns are written as the frameworks write their routes."""
    names = EndpointNames([pattern])
    assert names.name("/users/alice", 404) == pattern
    assert names.name("/other/alice", 200) == "/other/alice"


def test_the_first_pattern_wins() -> None:
    """As in a list of routes."""
    names = EndpointNames(["/users/me", "/users/:id"])
    assert [names.name(f"/users/{who}", 200) for who in ("me", "7")] == ["/users/me", "/users/:id"]


def test_what_scanners_try_is_unmatched() -> None:
    """A 404 makes no endpoint, but a known endpoint may answer 404."""
    names = EndpointNames(known=["/orders/:id"])
    assert names.name("/wp-login.php", 404) == "(unmatched)"
    assert names.name("/orders/1", 404) == "/orders/:id"
    assert names.name("/users/1", 200) == names.name("/users/2", 404) == "/users/:id"


def test_names_are_bounded() -> None:
    """A hostile log cannot fill the catalog of endpoints; what is known stays known."""
    names = EndpointNames()
    found = {names.name(f"/x{number}y", 200) for number in range(30_000)}
    assert len(found) == MAX_NAMES + 1
    assert "(other)" in found
    assert names.name("/x0y", 200) == "/x0y"


@pytest.mark.parametrize("pattern", ["users", "", "/a\n", "/" + "a" * 200])
def test_a_pattern_that_matches_nothing_is_refused(pattern: str) -> None:
    """A typing error is said at once."""
    with pytest.raises(BadPattern):
        EndpointNames([pattern])
