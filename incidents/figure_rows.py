"""Figures of incident analytics as pages print them: beside each its definition and what is behind it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.urls import reverse

from core.charts import Axis, Chart, HeatMap, Name, Noun, Series, heat_map, line_chart
from core.walltime import instant
from incidents.domain.analytics import Share, Spread
from incidents.domain.calls import Called
from incidents.queries.analytics import Question, Report
from incidents.week_hours import HOURS, WEEKDAYS

__all__ = [
    "DEFINITIONS",
    "Paged",
    "Shared",
    "Timed",
    "by_day",
    "by_hour",
    "figures_of",
    "listed",
    "listed_pages",
    "paged",
    "shares",
    "times",
]

# The word of each figure and what it is, as docs/analytics.md has it, too.
DEFINITIONS: Mapping[str, tuple[str, str]] = {
    "to_acknowledge": (
        "Time to acknowledge",
        ("From opening to when somebody first acknowledged or snoozed it. Who mitigated or resolved it at once"
        " acknowledged it by that. What nobody acknowledged is counted beside it, and is not zero."),
    ),
    "to_mitigate": (
        "Time to mitigate",
        ("From opening to when people last said that users no longer notice it. Incidents of which nobody said"
         " so, or which called people anew since, are left out."),
    ),
    "to_resolve": (
        "Time to resolve",
        "From opening to the last resolution, a hold-off included. Open incidents are left out.",
    ),
    "between": (
        "Time between failures",
        ("From the end of an incident of a service to the beginning of its next one in the period."
        " Incidents that overlap are one failure; what is open has no end."),
    ),
    "without_action": (
        "Acknowledged without action",
        ("Of incidents acknowledged and over: those that ended by themselves, without a note, an escalation, an"
        " assignment or any other act of a person here before that end."),
    ),
    "short": (
        "Over by itself within 5 min",
        ("Of incidents that are over: those that ended by themselves, as all of their alerts did within 5 minutes of"
        " the opening. What a person ended, here or by the word of its sender there, did not."),
    ),
    "pages": (
        "Pages",
        ("Calls to people about these incidents that went out, merged ones too: for one incident, at one step, by"
         " however many ways, by its first message. What can wait is none. Nights are 22:00 to 06:00 and weekends"
         " Saturday and Sunday on the clock of whoever was called; a night with a page at least is an interrupted"
         " one."),
    ),
    "repeats": (
        "What repeats",
        ("What one condition, or one group of a sender, opened at least 3 times for a service in the period:"
         " the ten that did so most often."),
    ),
}  # fmt: skip
# Which incidents a figure of time is of, and those beside it.
_BEHIND = {
    "to_acknowledge": ("acknowledged", "unacknowledged", "never acknowledged"),
    "to_mitigate": ("mitigated", "", ""),
    "to_resolve": ("resolved", "", ""),
    "between": ("between", "", ""),
}


@dataclass(frozen=True)
class Timed:
    """A length of time as a row.

    Args:
        label: What it is.
        definition: Exactly.
        now: Of the period; None is no data.
        before: Of the period before.
        href: The incidents behind it.
        others: How many are not in it, of which the reader must know; None where it has none.
        others_label: What they are.
        others_href: Their list.
    """

    label: str
    definition: str
    now: Spread | None
    before: Spread | None
    href: str
    others: int | None
    others_label: str
    others_href: str


@dataclass(frozen=True)
class Shared:
    """A share as a row; the arguments are those of `Timed`, and `of_href` is the list of the whole."""

    label: str
    definition: str
    now: Share
    before: Share
    href: str
    of_href: str


@dataclass(frozen=True)
class Paged:
    """How often somebody was paged, as a row.

    Args:
        name: Who; "" is all of them together.
        called: How often.
        href: The list of all of it.
        at_night: That of their nights.
        on_weekends: That of their weekends.
    """

    name: str
    called: Called
    href: str
    at_night: str
    on_weekends: str


def listed(question: Question, **more: str) -> str:
    """Return the address of the list of the incidents of a question, narrowed by more."""
    return _address("incident:list", {"state": "unmerged", **_narrowing(question), **more})


def listed_pages(question: Question, **more: str) -> str:
    """Return the address of the list of the pages of a question, narrowed by more."""
    return _address("incident:pages", {**_narrowing(question), **more})


def figures_of(question: Question) -> str:
    """Return the address of the page with the figures of a question."""
    return _address("incident:analytics", _narrowing(question))


def _narrowing(question: Question) -> dict[str, str]:
    return {
        "from": _written(question.since),
        "to": _written(question.until),
        "team": question.team,
        "service": question.service,
        "severity": question.severity,
    }


def _address(name: str, asked: Mapping[str, str]) -> str:
    kept = {name: value for name, value in asked.items() if value}
    return f"{reverse(name)}?{urlencode(kept)}"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def times(report: Report) -> Iterator[Timed]:
    """Yield the lengths of time of a report."""
    for name, (figure, others, others_label) in _BEHIND.items():
        yield Timed(
            *DEFINITIONS[name],
            now=getattr(report.now, name),
            before=getattr(report.before, name),
            href=listed(report.question, figure=figure),
            others=report.now.unanswered if others else None,
            others_label=others_label,
            others_href=listed(report.question, figure=others),
        )


def shares(report: Report) -> Iterator[Shared]:
    """Yield the shares of a report."""
    for name, whole in (("without_action", "answered_and_over"), ("short", "resolved")):
        yield Shared(
            *DEFINITIONS[name],
            now=getattr(report.now, name),
            before=getattr(report.before, name),
            href=listed(report.question, figure=name),
            of_href=listed(report.question, figure=whole),
        )


def paged(report: Report) -> Iterator[Paged]:
    """Yield who was paged how often, and all together below where there are several."""
    together = [("", report.pages)] if len(report.people) > 1 else []
    for name, called in [*report.people, *together]:
        yield Paged(
            name,
            called,
            href=listed_pages(report.question, person=name),
            at_night=listed_pages(report.question, person=name, when="night"),
            on_weekends=listed_pages(report.question, person=name, when="weekend"),
        )


def by_day(report: Report) -> Chart:
    """Return how many incidents each day of the period opened, by the reader's clock."""
    asked, counts = report.question, report.now.by_day
    first = asked.since.astimezone(asked.zone).date()
    last = (asked.until - timedelta(microseconds=1)).astimezone(asked.zone).date()
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    midnight = datetime.min.time()
    points = [(instant(day, midnight, asked.zone), float(counts[day])) for day in days]

    def href(begin: datetime) -> str:
        """Return the list of a day that a clock change may make longer, as far as it is in the period."""
        next_day = begin.astimezone(asked.zone).date() + timedelta(days=1)
        end = instant(next_day, midnight, asked.zone)
        day = replace(asked, since=max(begin, asked.since), until=min(end, asked.until))
        return listed(day) if counts[begin.astimezone(asked.zone).date()] else ""

    return line_chart(
        [Series("incidents", points, kind="area")],
        id="by-day",
        title="Incidents opened each day",
        y=Axis(minimum=0.0, maximum=None if any(counts.values()) else 1.0),
        tz=asked.zone,
        height=160,
        row_href=href,
    )


def by_hour(report: Report) -> HeatMap:
    """Return how many incidents each hour of the week opened, by the reader's clock."""
    asked = report.question

    def href(weekday: int, hour: int) -> str:
        return listed(asked, weekday=WEEKDAYS[weekday], hour=str(hour), zone=str(asked.zone))

    return heat_map(
        report.now.by_hour,
        id="by-hour",
        title=f"Incidents by weekday and hour of the opening, {asked.zone}",
        rows=[Name(day[:3].capitalize(), day.capitalize()) for day in WEEKDAYS],
        columns=[Name(f"{hour:02}", words) for hour, words in enumerate(HOURS)],
        noun=Noun("incident", "incidents"),
        href=href,
    )
