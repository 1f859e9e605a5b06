"""Which days are holidays: those of a country, by a library that knows the laws, and one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays as laws

__all__ = ["Days", "problem_of"]

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """Days that are holidays; a container, so that any year may be asked for.

    Args:
        country: ISO 3166 code, e.g. DE; "" for none.
        subdivision: Part of the country with laws of its own, e.g. BY; "" for the country's only.
        own: Days that are holidays besides, and their names.
        worked: Days on which people work although the law says otherwise.
    """

    country: str = ""
    subdivision: str = ""
    own: Mapping[date, str] | None = None
    worked: frozenset[date] = frozenset()

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.name_of(day) != ""

    def name_of(self, day: date) -> str:
        """Return what a day is called; "" when it is no holiday."""
        if self.own and day in self.own:
            return self.own[day] or "Holiday"
        if day in self.worked or not self.country:
            return ""
        return _by_law(self.country, self.subdivision, day.year).get(day, "")

    def between(self, first: date, last: date) -> Sequence[tuple[date, str]]:
        """Return the holidays from one day to another, both included, in order."""
        span = range((last - first).days + 1)
        all_ = ((first + DAY * number, self.name_of(first + DAY * number)) for number in span)
        return [(day, name) for day, name in all_ if name]


def problem_of(country: str, subdivision: str) -> str:
    """Return what is wrong with a country and a part of it; "" when they are known."""
    known = laws.list_supported_countries(include_aliases=False)
    if not country:
        return "Name the country that it is a part of." if subdivision else ""
    if country not in known:
        return "There is no law of this country here; use an ISO code such as DE, or own days."
    if subdivision and subdivision not in known[country]:
        parts = ", ".join(known[country][:30]) or "none"
        return f"Known parts of {country}: {parts}."
    return ""


@lru_cache(maxsize=512)
def _by_law(country: str, subdivision: str, year: int) -> dict[date, str]:
    if problem_of(country, subdivision):
        # Known when it was saved, and no longer to a newer version of the library: own days go on.
        return {}
    return dict(laws.country_holidays(country, subdiv=subdivision or None, years=year).items())
