"""Slugs of what is imported: distinct things of an export have distinct ones, the same each time."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256

__all__ = ["NAMELESS", "distinct_slugs"]

NAMELESS = "imported"
LONGEST, LONGEST_KEY, LONGEST_NAME = 63, 40, 120

# Key there, and name.
Thing = tuple[str, str]


def distinct_slugs(
    things: Iterable[Thing], plain: Callable[[str], str], held: Mapping[str, str]
) -> dict[Thing, str]:
    """Return the slug of each thing.

    Of several whose names come to the same slug one has it: the one that the portal knows by it,
    else the one with the lowest key. The others end in their keys, as do names that come to nothing
    (数据库): then neither the order of a file nor what else is in it changes what they are called.

    Args:
        things: Pairs of the key there and the name.
        plain: Makes a slug of a name; `NAMELESS` where nothing of it can stay.
        held: Names in the portal, by their slugs.
    """
    by_slug: dict[str, list[Thing]] = defaultdict(list)
    for thing in sorted(set(things)):
        by_slug[plain(thing[1])].append(thing)
    found: dict[Thing, str] = {}
    taken = set(by_slug)
    for slug, alike in by_slug.items():
        keeper = _keeper(slug, alike, held)
        for thing in alike:
            found[thing] = slug if thing == keeper else _free(slug, thing, taken)
            taken.add(found[thing])
    return found


def _keeper(slug: str, alike: Sequence[Thing], held: Mapping[str, str]) -> Thing | None:
    """Return which of those that are alike has the slug as it is."""
    # Who was told from another by its key in an earlier import stays so, also without that other.
    open_to_it = [thing for thing in alike if _with_key(slug, thing) not in held]
    known = [thing for thing in open_to_it if held.get(slug) == thing[1][:LONGEST_NAME]]
    others = [] if slug == NAMELESS else open_to_it
    return next(iter((*known, *others)), None)


def _free(slug: str, thing: Thing, taken: set[str]) -> str:
    wanted = _with_key(slug, thing)
    return _ending_in(slug, _digest(thing)) if wanted in taken else wanted


def _with_key(slug: str, thing: Thing) -> str:
    key = re.sub(r"[^a-z0-9]+", "-", thing[0].lower()).strip("-")
    return _ending_in(slug, key if 0 < len(key) <= LONGEST_KEY else _digest(thing))


def _ending_in(slug: str, end: str) -> str:
    return f"{slug[: LONGEST - len(end) - 1].rstrip('-')}-{end}"


def _digest(thing: Thing) -> str:
    return sha256("\n".join(thing).encode()).hexdigest()[:12]
