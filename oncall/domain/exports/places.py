"""Rotations of other tools that are on call side by side, as schedules that name one person each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from oncall.domain.exports.documents import ImportedLayer
from oncall.domain.exports.turning import arithmetic
from oncall.domain.rotations import Layer, turns
from oncall.domain.spans import Span, intersect

__all__ = ["Rotation", "do_overlap", "places"]

_LOOKS_AHEAD = timedelta(days=56)


@dataclass(frozen=True)
class Rotation:
    """A shift of another tool.

    Args:
        level: Where one of a higher level holds, those of lower ones call nobody.
        layers: One for each person that it calls at once, all alike but for their people.
    """

    level: int
    layers: tuple[ImportedLayer, ...]


def places(rotations: Sequence[Rotation], zone: str) -> list[tuple[ImportedLayer, ...]]:
    """Return the layers of as many schedules as people are called at once, from the lowest up.

    Together they name everybody who is called at an instant, and nobody else. Where fewer are
    called than there are schedules, several name the same person.
    """
    by_level = [
        [rotation for rotation in rotations if rotation.level == level]
        for level in sorted({rotation.level for rotation in rotations})
    ]
    lanes = [_lanes(level, zone) for level in by_level]
    count = max(map(len, lanes), default=1)
    return [
        tuple(
            layer
            for level, own in zip(by_level, lanes, strict=True)
            for layer in _of_place(level, own[place] if place < len(own) else own[0])
        )
        for place in range(count)
    ]


Lane = list[tuple[int, ImportedLayer]]


def _lanes(rotations: Sequence[Rotation], zone: str) -> list[Lane]:
    """Return the layers of one level, with the numbers of their rotations, where none overlap."""
    lanes: list[Lane] = []
    for number, rotation in enumerate(rotations):
        for layer in rotation.layers:
            free = (
                lane
                for lane in lanes
                # Those of one rotation are on call at the same times.
                if number not in {of for of, _ in lane}
                and not any(do_overlap([layer, other], zone) for _, other in lane)
            )
            lane = next(free, None)
            if lane is None:
                lanes.append(lane := [])
            lane.append((number, layer))
    return lanes


def _of_place(rotations: Sequence[Rotation], lane: Lane) -> list[ImportedLayer]:
    """Return a level's layers in one place: its lane, above those that keep lower levels silent."""
    own = {number for number, _ in lane}
    others = [r.layers[0] for number, r in enumerate(rotations) if number not in own and r.layers]
    return [*others, *(layer for _, layer in lane)]


def do_overlap(layers: Sequence[ImportedLayer], zone: str) -> bool:
    """Return whether two of some rotations are ever on call at once.

    Of two it is looked at the eight weeks from when the later one begins: their hours are the same
    each week.
    """
    pairs = combinations([arithmetic(layer, zone) for layer in layers], 2)
    return any(_do_both_hold(one, other) for one, other in pairs)


def _do_both_hold(one: Layer, other: Layer) -> bool:
    start = max(one.boundary(0), other.boundary(0))
    window = Span(start, start + _LOOKS_AHEAD)
    held = [[turn.span for turn in turns(layer, window)] for layer in (one, other)]
    return bool(intersect(*held))
