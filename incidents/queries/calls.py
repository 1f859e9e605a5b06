"""Calls to people about incidents: what analytics count as pages, and the rows behind the counts.

Messages for one incident at one step are one call, by its first.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Any, NamedTuple, overload

from django.db.models import Count, Min, QuerySet

from core import audit
from core.zones import zone_named
from incidents.domain.calls import Called, PageTally, is_on_weekend, night_of
from incidents.domain.lifecycle import Action
from incidents.models import Incident, Page, TimelineEntry
from oncall.domain.escalations import Urgency

__all__ = ["TIMES", "Call", "CallList", "Listed", "calls_about"]

_CHUNK = 2000
# Of so many at a time what a list shows is looked up.
_LOOKED_UP = 500
# Which of somebody's calls a figure counts, by their own clock, and how a list says so.
TIMES: Mapping[str, str] = {"night": "at night", "weekend": "on weekends"}
# What ends being called, as far as an incident goes.
_ANSWERS = (Action.ACKNOWLEDGE, Action.SNOOZE, Action.MITIGATE, Action.RESOLVE, Action.MERGE)
_PORTAL = audit.actor_name(None)


class Call(NamedTuple):
    """One page of one person.

    Args:
        person: Their username.
        zone: Name of the zone in which they live.
        group: Of its incident.
        status: Of its incident, as it stands now.
        opened_at: When its incident was opened.
        incident: Number of its incident.
        cycle, loop, step, reason: Which call for that incident it is.
        at: When its first message went out.
        messages: How many it was.
    """

    person: str
    zone: str
    group: str
    status: str
    opened_at: datetime
    incident: int
    cycle: int
    loop: int
    step: int
    reason: str
    at: datetime
    messages: int

    @property
    def clock(self) -> tzinfo:
        """The zone in which the person lives."""
        return zone_named(self.zone)

    @property
    def local(self) -> datetime:
        """When it was, on their own clock."""
        return self.at.astimezone(self.clock)

    @property
    def is_at_night(self) -> bool:
        """Whether it was from 22:00 to 06:00 on their own clock."""
        return night_of(self.at, self.clock) is not None

    @property
    def is_on_weekend(self) -> bool:
        """Whether it was a Saturday or Sunday on their own clock."""
        return is_on_weekend(self.at, self.clock)

    @property
    def key(self) -> tuple[str, int, int, int, int, str]:
        """What its messages have in common."""
        return self.person, self.incident, self.cycle, self.loop, self.step, self.reason

    def is_when(self, when: str) -> bool:
        """Return whether a list of calls at a time, one of `TIMES` or "" for any, has it."""
        return {"night": self.is_at_night, "weekend": self.is_on_weekend}.get(when, True)


def calls_about(incidents: QuerySet[Incident], *, person: str | None = None) -> Iterator[Call]:
    """Yield the calls to people about incidents, the newest first.

    What can wait, as news that somebody has answered, wakes nobody. What a merged incident cost before it
    was merged woke people all the same.

    Args:
        incidents: Which.
        person: Username of whom alone; None is everybody.
    """
    rows = (
        _messages(incidents.values("pk"), person)
        .values_list(
            "person__username", "person__timezone", "incident__group", "incident__status",
            "incident__opened_at", "incident", "cycle", "loop", "step", "reason",
        )
        .annotate(at=Min("sent_at"), messages=Count("pk"))
        .order_by("-at", "-incident", "person__username", "cycle", "loop", "step", "reason")
    )  # fmt: skip
    for row in rows.iterator(chunk_size=_CHUNK):
        yield Call._make(row)


def _messages(incidents: Iterable[Any], person: str | None) -> QuerySet[Page]:
    asked = {} if person is None else {"person__username": person}
    return Page.objects.filter(
        incident__in=incidents,
        person__isnull=False,
        sent_at__isnull=False,
        urgency=Urgency.HIGH,
        **asked,
    )


@dataclass(frozen=True)
class Listed:
    """A call as a list shows it.

    Args:
        call: Which it is.
        incident: What it was about, with its service.
        level: The level that was called; 0 is none, as for a fallback contact.
        channels: By what it went out, each as often as it did, e.g. email.
        answer: What first came of it: an answer of whomever, or the end; None is nothing yet.
    """

    call: Call
    incident: Incident
    level: int
    channels: tuple[str, ...]
    answer: TimelineEntry | None

    @property
    def clock(self) -> str:
        """When it was, on the person's own clock, for people."""
        local = self.call.local
        return f"{local:%a %H:%M} {local.tzname()}"

    @property
    def outcome(self) -> str:
        """What became of it, in a word or a few."""
        if self.answer is None:
            return "nothing yet" if self.incident.is_open else "nothing after it"
        if self.answer.act == Action.RESOLVE and self.answer.actor == _PORTAL:
            return "over by itself"
        return self.answer.get_act_display().lower()

    @property
    def answered_by(self) -> str:
        """Who answered, as the audit names them; "" where nobody did."""
        return self.answer.actor if self.answer and self.answer.actor != _PORTAL else ""

    @property
    def answered_after(self) -> timedelta | None:
        """How long after the call something came of it; None is nothing yet."""
        return self.answer.at - self.call.at if self.answer else None


class CallList(Sequence[Listed]):
    """Calls that a list shows a page at a time: never all of them in memory at once.

    Args:
        incidents: About which, as far as the reader may know of them.
        person: Username of whom alone; None is everybody.
        when: One of `TIMES`, or "" for any time.
    """

    def __init__(
        self, incidents: QuerySet[Incident], *, person: str | None = None, when: str = ""
    ) -> None:
        self._incidents, self._person, self._when = incidents, person, when
        self._total: Called | None = None

    @property
    def total(self) -> Called:
        """How many they are, counted as analytics count them."""
        if self._total is None:
            tally = PageTally()
            for call in self._calls():
                tally.add(call.person, call.at, call.clock, call.messages)
            self._total = tally.total()
        return self._total

    def __len__(self) -> int:
        return self.total.pages

    @overload
    def __getitem__(self, place: int) -> Listed: ...
    @overload
    def __getitem__(self, place: slice) -> list[Listed]: ...
    def __getitem__(self, place: int | slice) -> Listed | list[Listed]:
        """Return one of them, or some."""
        if isinstance(place, int):
            return self[place : place + 1][0]
        return self._shown(list(islice(self._calls(), place.start, place.stop)))

    def __iter__(self) -> Iterator[Listed]:
        calls = self._calls()
        while some := list(islice(calls, _LOOKED_UP)):
            yield from self._shown(some)

    def _calls(self) -> Iterator[Call]:
        calls = calls_about(self._incidents, person=self._person)
        return (call for call in calls if call.is_when(self._when))

    def _shown(self, calls: Sequence[Call]) -> list[Listed]:
        numbers = {call.incident for call in calls}
        about = Incident.objects.select_related("service").in_bulk(numbers)
        messages = self._messages_of(numbers)
        answers = _answers(numbers)
        return [
            Listed(
                call,
                about[call.incident],
                level=max((page.level for page in messages[call.key]), default=0),
                channels=tuple(page.channel for page in messages[call.key]),
                answer=next((e for e in answers[call.incident] if e.at >= call.at), None),
            )
            for call in calls
            if call.incident in about
        ]

    def _messages_of(self, numbers: set[int]) -> Mapping[tuple[object, ...], list[Page]]:
        found: defaultdict[tuple[object, ...], list[Page]] = defaultdict(list)
        for page in (
            _messages(numbers, self._person).select_related("person").order_by("sent_at", "pk")
        ):
            name = page.person.username if page.person else ""
            key = name, page.incident_id, page.cycle, page.loop, page.step, page.reason
            found[key].append(page)
        return found


def _answers(numbers: set[int]) -> Mapping[int, list[TimelineEntry]]:
    """Return what ended being called, by incident, the oldest first."""
    found: defaultdict[int, list[TimelineEntry]] = defaultdict(list)
    entries = TimelineEntry.objects.filter(
        incident__in=numbers, kind=TimelineEntry.Kind.ACTION, act__in=_ANSWERS
    )
    for entry in entries.order_by("at", "pk"):
        found[entry.incident_id].append(entry)
    return found
