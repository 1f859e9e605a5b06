"""How often people are paged, and when: nights and weekends are those of whoever is called."""

from collections import defaultdict
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

__all__ = ["Called", "PageTally", "is_on_weekend", "night_of"]

NIGHT_BEGINS, NIGHT_ENDS = time(22), time(6)


def night_of(at: datetime, zone: tzinfo) -> date | None:
    """Return the night from 22:00 to 06:00 in which an instant lies, by the day on which it begins."""
    local = at.astimezone(zone)
    if local.time() >= NIGHT_BEGINS:
        return local.date()
    return local.date() - timedelta(days=1) if local.time() < NIGHT_ENDS else None


def is_on_weekend(at: datetime, zone: tzinfo) -> bool:
    """Return whether an instant lies on a Saturday or Sunday."""
    return at.astimezone(zone).weekday() >= 5


class Called(NamedTuple):
    """How often one person was paged.

    Args:
        pages: Calls to them: for one incident, at one step, by however many ways.
        messages: Messages of those calls that went out.
        at_night: Pages from 22:00 to 06:00 on their own clock.
        at_weekends: Pages on a Saturday or Sunday on their own clock.
        nights: Nights with a page at least: how often their sleep was interrupted.
    """

    pages: int = 0
    messages: int = 0
    at_night: int = 0
    at_weekends: int = 0
    nights: int = 0


class PageTally:
    """Counts pages, a person at a time or many."""

    def __init__(self) -> None:
        self._people: dict[str, Called] = {}
        self._nights: defaultdict[str, set[date]] = defaultdict(set)

    def add(self, person: str, at: datetime, zone: tzinfo, messages: int) -> None:
        """Count one page.

        Args:
            person: Whom.
            at: When its first message went out.
            zone: In which the person lives.
            messages: How many it was.
        """
        before, night = self._people.get(person, Called()), night_of(at, zone)
        if night is not None:
            self._nights[person].add(night)
        self._people[person] = Called(
            before.pages + 1,
            before.messages + messages,
            before.at_night + (night is not None),
            before.at_weekends + is_on_weekend(at, zone),
            len(self._nights[person]) if person in self._nights else 0,
        )

    def of(self, person: str) -> Called:
        """Return how often one was called."""
        return self._people.get(person, Called())

    def people(self) -> list[tuple[str, Called]]:
        """Return who was called and how often, the most often first."""
        return sorted(self._people.items(), key=lambda row: (-row[1].pages, row[0]))

    def total(self) -> Called:
        """Return all together; a night counts once for each person."""
        return (
            Called(*map(sum, zip(*self._people.values(), strict=True)))
            if self._people
            else Called()
        )
