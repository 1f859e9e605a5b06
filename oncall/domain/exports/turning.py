"""Turns of imported rotations, counted as the portal counts them: by the wall clock of a zone."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from oncall.domain.exports.documents import ImportedLayer, Unreadable, at_wall
from oncall.domain.rotations import Layer, Unit, turns
from oncall.domain.spans import Span, merged

__all__ = ["LENGTHS", "arithmetic", "from_instant", "from_turn", "held_within", "turn_at"]

LENGTHS = {
    Unit.HOURS: timedelta(hours=1),
    Unit.DAYS: timedelta(days=1),
    Unit.WEEKS: timedelta(days=7),
}


def arithmetic(layer: ImportedLayer, zone: str) -> Layer:
    """Return a rotation for arithmetic; people are their places in it.

    Raises:
        Unreadable: Its turns are of a length that no rotation here has.
    """
    try:
        return Layer(
            tuple(range(len(layer.people))),
            ZoneInfo(zone),
            layer.first,
            layer.handover,
            layer.unit,
            layer.every,
            layer.restrictions,
            layer.until,
        )
    except ValueError as error:
        raise Unreadable(f"{layer.name}: {error}.") from error


def turn_at(layer: ImportedLayer, at: datetime, zone: str) -> int:
    """Return the number of the turn in which an instant lies; 0 also before the first."""
    return max(0, arithmetic(layer, zone).number_at(at))


def from_turn(layer: ImportedLayer, number: int) -> ImportedLayer:
    """Return the rotation as it goes on from a later turn: the same people at the same times."""
    length = number * layer.every * LENGTHS[layer.unit]
    wall = datetime.combine(layer.first, layer.handover, tzinfo=UTC) + length
    whose = number % max(1, len(layer.people))
    people = (*layer.people[whose:], *layer.people[:whose])
    return replace(layer, first=wall.date(), handover=wall.time(), people=people)


def from_instant(layer: ImportedLayer, at: datetime, zone: str) -> list[ImportedLayer]:
    """Return the rotation as it goes on from an instant: nobody is on call of it before.

    Amid a turn it becomes two: who comes first has only what is left of that turn.
    """
    rota, number = arithmetic(layer, zone), turn_at(layer, at, zone)
    turn = from_turn(layer, number)
    if rota.boundary(number) >= at:
        return [turn]
    first, handover = at_wall(at, zone)
    turn = replace(turn, first=first, handover=handover)
    if len(set(layer.people)) < 2:
        return [turn]
    change = rota.boundary(number + 1)
    if layer.until is not None and layer.until <= change:
        return [replace(turn, people=turn.people[:1])]
    return [replace(turn, people=turn.people[:1], until=change), from_turn(layer, number + 1)]


def held_within(layers: Sequence[ImportedLayer], window: Span, zone: str) -> list[Span]:
    """Return when any of some rotations calls somebody."""
    return merged(turn.span for layer in layers for turn in turns(arithmetic(layer, zone), window))
