"""Figures about the incidents of a period and of the one before, in as many statements as ever.

Incidents and pages are streamed through the tallies of `incidents.domain.analytics`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from django.db.models import (
    Count,
    DateTimeField,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    RowRange,
    Subquery,
    Value,
    Window,
)
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core import audit
from incidents.domain.analytics import (
    REPEATS_FROM,
    SHORT,
    Figures,
    Happened,
    Repeat,
    Tally,
    suggested_fix,
)
from incidents.domain.calls import Called, PageTally
from incidents.domain.lifecycle import Action, Status
from incidents.models import Alert, Incident, TimelineEntry
from incidents.queries.calls import calls_about
from incidents.queries.promises import Kept, kept

__all__ = [
    "BEHIND",
    "BETWEEN",
    "Question",
    "Repeated",
    "Report",
    "after_failures",
    "facts_of",
    "happened",
    "may_see_others",
    "report",
    "with_facts",
]

# Of what repeats, the most often.
MOST_REPEATS = 10
_CHUNK = 2000
# What `Happened` is made of, in its order.
_COLUMNS = (
    "opened_at", "pk", "service_id", "severity", "group", "answered_at", "mitigated_at",
    "resolved_at", "over_at", "resolved_by", "is_acted_on",
)  # fmt: skip
_PORTAL = audit.actor_name(None)
_NEVER = datetime.max.replace(tzinfo=UTC)
_ANSWERS = (Action.ACKNOWLEDGE, Action.SNOOZE, Action.MITIGATE, Action.RESOLVE)
# Saying that one is on it, or is not, does nothing about it.
_NO_ACTS = (Action.ACKNOWLEDGE, Action.SNOOZE, Action.UNACKNOWLEDGE)


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        user: Who asks; counted is what they may know of.
        since: Begin of the period.
        until: Its end, which is not in it.
        zone: In which hours and days are counted.
        team: Slug of the team that owns the services; "" for all.
        service: Slug of one service; "" for all.
        severity: P0 to P3; "" for all.
    """

    user: User
    since: datetime
    until: datetime
    zone: tzinfo
    team: str = ""
    service: str = ""
    severity: str = ""

    @property
    def before(self) -> datetime:
        """When the period before begins: it is as long, and ends where this one begins."""
        return self.since - (self.until - self.since)

    @property
    def narrowed(self) -> Q:
        """The condition on incidents besides the period."""
        asked = {
            "service__owner__slug": self.team,
            "service__slug": self.service,
            "severity": self.severity,
        }
        return Q(**{path: value for path, value in asked.items() if value})

    def incidents(self, since: datetime) -> QuerySet[Incident]:
        """Return what was opened from an instant on until the end, merged ones too."""
        rows = Incident.objects.visible_to(self.user).filter(self.narrowed)
        return rows.filter(opened_at__gte=since, opened_at__lt=self.until)


@dataclass(frozen=True)
class Repeated:
    """What repeats, for people.

    Args:
        figures: Its counts.
        incident: The newest of its incidents, with its service.
        pages: Calls to people that they cost.
        fix: What to do about it; "" where the figures do not say.
    """

    figures: Repeat
    incident: Incident
    pages: int
    fix: str


@dataclass(frozen=True)
class Report:
    """The figures of a period.

    Args:
        question: What was asked.
        now: Of the period.
        before: Of the period before.
        promises: Answered and resolved in time, by severity.
        services: Those that `now` counts, by primary key.
        repeats: The most often first, `MOST_REPEATS` of them.
        people: Whom pages called how often; of others than who asks for those only who may see that.
        pages: All of them together.
        pages_before: The same of the period before.
    """

    question: Question
    now: Figures
    before: Figures
    promises: list[Kept]
    services: Mapping[int, Service]
    repeats: list[Repeated]
    people: list[tuple[str, Called]]
    pages: Called
    pages_before: Called


def may_see_others(user: User) -> bool:
    """Return whether somebody may see how often others are paged: those who may be called themselves."""
    return user.has_role(Role.RESPONDER)


def report(question: Question) -> Report:
    """Return the figures that are asked for."""
    groups = _repeating(question)
    now, before = Tally(question.zone, groups), Tally(question.zone)
    for one in happened(question.incidents(question.before)):
        (now if one.opened_at >= question.since else before).add(one)
    called, called_before, costs = _called(question, groups)
    figures, people = now.figures(), called.people()
    if not may_see_others(question.user):
        people = [row for row in people if row[0] == question.user.username]
    return Report(
        question=question,
        now=figures,
        before=before.figures(),
        promises=kept(question.user, question.since, question.until, among=question.narrowed),
        services=Service.objects.in_bulk([pk for pk in figures.by_service if pk is not None]),
        repeats=_repeated(now.repeats(), costs),
        people=people,
        pages=called.total(),
        pages_before=called_before.total(),
    )


def with_facts(rows: QuerySet[Incident]) -> QuerySet[Incident]:
    """Add what the figures are made of: `answered_at`, `over_at`, `is_acted_on`."""
    by_people = TimelineEntry.objects.filter(
        incident=OuterRef("pk"), kind__in=[TimelineEntry.Kind.ACTION, TimelineEntry.Kind.NOTE]
    ).exclude(actor=_PORTAL)
    answers = by_people.filter(act__in=_ANSWERS).order_by("at", "pk")
    acts = by_people.exclude(act__in=_NO_ACTS).filter(at__lte=OuterRef("resolved_at"))
    ends = Alert.objects.filter(incident=OuterRef("pk")).order_by().values("incident")
    return rows.annotate(
        answered_at=Subquery(answers.values("at")[:1]),
        over_at=Coalesce(
            Subquery(ends.annotate(at=Max("resolved_at")).values("at")), "resolved_at"
        ),
        is_acted_on=Exists(acts),
    )


_BY_ITSELF = Q(resolved_at__isnull=False, resolved_by=_PORTAL)
# The incidents behind a figure, in words and as a condition on rows `with_facts` that are not merged.
BEHIND: Mapping[str, tuple[str, Q]] = {
    "acknowledged": ("acknowledged", Q(answered_at__isnull=False)),
    "unacknowledged": ("never acknowledged", Q(answered_at=None)),
    "mitigated": ("mitigated", Q(mitigated_at__isnull=False)),
    "resolved": ("over", Q(resolved_at__isnull=False)),
    "without_action": (
        "acknowledged, and over by themselves without action",
        Q(_BY_ITSELF, answered_at__isnull=False, is_acted_on=False),
    ),
    "short": (
        "over by themselves within 5 min",
        Q(_BY_ITSELF, over_at__lte=F("opened_at") + SHORT),
    ),
    "by_itself": ("over by themselves", _BY_ITSELF),
    "answered_and_over": (
        "acknowledged, and over",
        Q(answered_at__isnull=False, resolved_at__isnull=False),
    ),
    "without_service": ("of no service", Q(service=None)),
}
# The same of one that is no condition on a single row: `after_failures` finds them.
BETWEEN = ("between", "begun after the last one of their service had ended")


def after_failures(rows: QuerySet[Incident]) -> QuerySet[Incident]:
    """Keep the incidents that end a time between failures, as the tally counts it: merged ones are left out.

    Args:
        rows: All that are counted: whether one overlaps with another depends on the others.
    """
    ended = Coalesce("resolved_at", Value(_NEVER), output_field=DateTimeField())
    earlier = Window(
        Max(ended),
        partition_by="service",
        order_by=("opened_at", "pk"),
        frame=RowRange(start=None, end=-1),
    )
    found = rows.exclude(status=Status.MERGED).filter(service__isnull=False)
    return found.annotate(busy_until=earlier).filter(busy_until__lte=F("opened_at"))


def happened(rows: QuerySet[Incident]) -> Iterator[Happened]:
    """Yield what the tallies count of incidents, the oldest first; merged ones are left out."""
    found = with_facts(rows.exclude(status=Status.MERGED)).order_by("opened_at", "pk")
    for row in found.values_list(*_COLUMNS).iterator(chunk_size=_CHUNK):
        yield _as_happened(row)


def facts_of(incident: Incident) -> Happened:
    """Return the same of one incident, of rows `with_facts`."""
    return _as_happened([getattr(incident, name) for name in _COLUMNS])


def _as_happened(row: Sequence[Any]) -> Happened:
    *of, resolved_by, is_acted_on = row
    return Happened._make([*of, resolved_by == _PORTAL, is_acted_on])


def _repeating(question: Question) -> list[str]:
    """Return the groups that opened most incidents in the period, `REPEATS_FROM` or more each."""
    rows = question.incidents(question.since).exclude(status=Status.MERGED).order_by()
    counted = rows.values("group").annotate(n=Count("pk")).filter(n__gte=REPEATS_FROM)
    return [row["group"] for row in counted.order_by("-n", "group")[:MOST_REPEATS]]


def _repeated(repeats: list[Repeat], costs: Counter[str]) -> list[Repeated]:
    newest = Incident.objects.select_related("service").in_bulk([one.newest for one in repeats])
    return [
        Repeated(one, newest[one.newest], costs[one.group], suggested_fix(one))
        for one in repeats
        if one.newest in newest
    ]


def _called(question: Question, groups: list[str]) -> tuple[PageTally, PageTally, Counter[str]]:
    """Return who was called in the period and in the one before, and what each group cost."""
    now, before, costs = PageTally(), PageTally(), Counter[str]()
    followed = set(groups)
    for call in calls_about(question.incidents(question.before)):
        is_now = call.opened_at >= question.since
        (now if is_now else before).add(call.person, call.at, call.clock, call.messages)
        if is_now and call.group in followed and call.status != Status.MERGED:
            costs[call.group] += 1
    return now, before, costs
