"""Incident analytics out of the database, against a count by hand of what services made."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean, median, quantiles
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service, Team
from core.errors import Conflict
from incidents.domain.analytics import Figures, Share, Spread
from incidents.models import Alert, Incident, Page
from incidents.queries.analytics import (
    BEHIND,
    MOST_REPEATS,
    Question,
    Report,
    after_failures,
    happened,
    report,
    with_facts,
)
from incidents.services import lifecycle, merging
from incidents.tests.oncall_portal import MONDAY, Portal, portal
from oncall.domain.escalations import Urgency
from oncall.models import ServicePolicy

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
HOUR = timedelta(hours=1)
FIVE = timedelta(minutes=5)


def asked(portal: Portal, user: User | None = None, **values: Any) -> Report:
    """Return the figures of all that happened, for an admin unless told."""
    user = user or User.objects.create_user(f"root-{User.objects.count()}", role=Role.ADMIN)
    usual: dict[str, Any] = {"since": MONDAY, "until": portal.now + HOUR, "zone": UTC}
    return report(Question(user, **{**usual, **values}))


def test_what_nobody_answered_is_not_answered_by_its_end(portal: Portal) -> None:
    """An incident that ends by itself was not acknowledged then; one that a person ends was."""
    portal.alert("a")
    portal.fast_forward(minutes=4)
    portal.alert("a", firing=False)
    incident = portal.alert("b")
    assert incident is not None
    portal.fast_forward(minutes=7)
    lifecycle.resolve(incident.pk, now=portal.now, actor=portal.people["alice"])
    found = asked(portal).now
    assert found.to_acknowledge is not None
    assert (found.to_acknowledge.n, found.to_acknowledge.median) == (1, timedelta(minutes=7))
    assert (found.unanswered, found.still_open, found.short) == (1, 0, Share(1, 2))


def test_reopened_counts_from_its_first_answer_to_its_last_end(portal: Portal) -> None:
    incident = portal.open_incident()
    alice = portal.people["alice"]
    for act in ("acknowledge", "resolve", "reopen", "acknowledge", "resolve"):
        portal.fast_forward(minutes=10)
        getattr(lifecycle, act)(incident.pk, now=portal.now, actor=alice)
    found = asked(portal).now
    assert found.to_acknowledge is not None
    assert found.to_resolve is not None
    assert found.to_acknowledge.mean == timedelta(minutes=10)
    assert found.to_resolve.mean == timedelta(minutes=50)


def test_what_calls_people_anew_is_no_longer_mitigated(portal: Portal) -> None:
    """Users notice it again: how long it took to mitigate is not known yet."""
    incident, alice = portal.open_incident(), portal.people["alice"]
    portal.fast_forward(minutes=10)
    lifecycle.mitigate(incident.pk, now=portal.now, actor=alice)
    found = asked(portal).now.to_mitigate
    assert found is not None
    assert found.median == timedelta(minutes=10)
    lifecycle.resolve(incident.pk, now=portal.now, actor=alice)
    lifecycle.reopen(incident.pk, now=portal.now, actor=alice)
    assert asked(portal).now.to_mitigate is None


@pytest.mark.parametrize("act", [None, "note", "escalate", "assign", "late note"])
def test_any_act_of_a_person_before_the_end_is_an_action(portal: Portal, act: str | None) -> None:
    incident, alice = portal.alert("a"), portal.people["alice"]
    assert incident is not None
    by: dict[str, Any] = {"actor": alice}
    if act == "escalate":
        lifecycle.escalate(incident.pk, now=portal.now, **by)
    lifecycle.acknowledge(incident.pk, now=portal.now, person=alice, **by)
    portal.fast_forward(minutes=20)
    if act == "note":
        lifecycle.note(incident.pk, text="Looked at it.", now=portal.now, **by)
    if act == "assign":
        lifecycle.assign(incident.pk, to=portal.people["bob"], now=portal.now, **by)
    portal.alert("a", firing=False)
    portal.fast_forward(minutes=1)
    if act == "late note":
        lifecycle.note(incident.pk, text="Was nothing.", now=portal.now, **by)
    assert asked(portal).now.without_action == Share(act in {None, "late note"}, 1)


def test_a_hold_does_not_make_what_is_short_longer(portal: Portal) -> None:
    """Its alerts ended after two minutes; that it waited for more of them was the portal's."""
    incident = portal.alert("a")
    assert incident is not None
    portal.fast_forward(minutes=2)
    portal.alert("a", firing=False)
    Incident.objects.update(resolved_at=portal.now + HOUR)
    assert asked(portal).now.short == Share(1, 1)


def test_merged_incidents_are_those_they_live_on_in_but_their_pages_were_pages(
    portal: Portal,
) -> None:
    one, other = portal.open_incident("one"), portal.open_incident("other")
    merging.merge(one.pk, into=other.pk, now=portal.now, actor="test")
    found = asked(portal)
    assert found.now.count == 1
    assert (found.people[0][0], found.people[0][1].pages) == ("alice", 2)


def test_a_call_by_two_ways_is_one_page_and_news_is_none(portal: Portal) -> None:
    """By mail and again by another method; then alice hears that bob answered."""
    portal.add_method(portal.people["alice"])
    portal.add_low_rule("alice")
    incident = portal.open_incident()
    portal.fast_forward(minutes=6)
    bob = portal.people["bob"]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=bob, person=bob)
    portal.fast_forward(minutes=2)
    sent = Page.objects.filter(person__username="alice", sent_at__isnull=False)
    assert sent.filter(urgency=Urgency.LOW).exists()
    people = dict(asked(portal).people)
    assert people["alice"].pages == people["bob"].pages == 1
    assert people["alice"].messages == sent.exclude(urgency=Urgency.LOW).count() > 1


def test_viewers_see_how_often_they_were_paged_and_nobody_else(portal: Portal) -> None:
    """Whoever may be called sees all; what all together were paged is no secret."""
    portal.open_incident()
    portal.fast_forward(minutes=6)
    names = {name for name, _ in asked(portal, portal.people["carol"]).people}
    assert names == {"alice", "bob"}
    User.objects.filter(username="alice").update(role=Role.VIEWER)
    found = asked(portal, User.objects.get(username="alice"))
    assert [name for name, _ in found.people] == ["alice"]
    assert found.pages.pages == 2


def test_what_repeats_says_what_it_costs_and_what_to_do(portal: Portal) -> None:
    for _ in range(3):
        portal.alert("disk", group_key="disk")
        portal.fast_forward(minutes=2)
        portal.alert("disk", firing=False, group_key="disk")
        portal.fast_forward(hours=2)
    portal.open_incident("once")
    (found,) = asked(portal).repeats
    assert (found.figures.count, found.pages, found.figures.short) == (3, 3, Share(3, 3))
    assert found.incident.title == "disk is wrong"
    assert "let its rule wait longer" in found.fix


def test_the_period_before_is_as_long_and_apart(portal: Portal) -> None:
    portal.open_incident("before")
    portal.fast_forward(hours=3)
    portal.open_incident("now")
    found = asked(portal, since=MONDAY + 2 * HOUR, until=MONDAY + 4 * HOUR)
    assert (found.now.count, found.before.count) == (1, 1)
    assert found.pages_before.pages >= 1
    assert asked(portal, since=MONDAY + 3 * HOUR, until=MONDAY + 4 * HOUR).before.count == 0


@dataclass
class Random:
    """A portal in which things happen by chance, through services."""

    portal: Portal
    chance: random.Random
    services: list[Service] = field(default_factory=list)

    def live(self, steps: int) -> None:
        """Let so many things happen."""
        owner = Team.objects.create(slug="them", name="Them")
        self.services = [
            self.portal.service,
            Service.objects.create(slug="search", name="Search", owner=owner),
            Service.objects.create(slug="vault", name="Vault", owner=owner, is_private=True),
        ]
        for service in self.services[1:]:
            ServicePolicy.objects.create(service_id=service.pk, policy=self.portal.policy)
        for _ in range(steps):
            self.portal.fast_forward(minutes=self.chance.choice([1, 1, 3, 3, 30]))
            self._fire() if self.chance.random() < 0.6 else self._act()

    def _fire(self) -> None:
        """Let something begin, or what fires end."""
        service = self.chance.choice(self.services)
        key, severity = f"{service}-{self.chance.choice('abcd')}", self.chance.choice(["P0", "P1"])
        firing = list(Alert.objects.firing().select_related("service").order_by("pk"))
        if firing and self.chance.random() < 0.5:
            ends = self.chance.choice(firing)
            self.portal.alert(ends.dedup_key, firing=False, service=ends.service)
        else:
            self.portal.alert(key, service=service, severity=severity)

    def _act(self) -> None:
        incident = self.chance.choice([*Incident.objects.order_by("-pk")[:6], None])
        person = self.chance.choice(list(self.portal.people.values()))
        by: dict[str, Any] = {"now": self.portal.now, "actor": person}
        acts = ["acknowledge"] * 5 + ["mitigate", "resolve", "reopen", "note", "merge"]
        act = self.chance.choice(acts)
        if incident is None:
            return
        try:
            if act == "merge":
                other = self.chance.choice(list(Incident.objects.order_by("pk")))
                merging.merge(incident.pk, into=other.pk, **by)
            elif act == "note":
                lifecycle.note(incident.pk, text="Seen.", **by)
            else:
                getattr(lifecycle, act)(incident.pk, **by)
        except Conflict:
            return
        self.portal.settle()


def by_hand(rows: list[Incident]) -> dict[str, Any]:
    """Count incidents one by one."""
    answers, ends, mitigations, gaps = [], [], [], []
    without, answered, short, over = 0, 0, 0, 0
    busy_until: dict[int, datetime] = {}
    for one in sorted(rows, key=lambda row: (row.opened_at, row.pk)):
        entries = [
            e for e in one.timeline.all() if e.actor != "portal" and e.kind in {"action", "note"}
        ]
        first = [e.at for e in entries if e.act in {"acknowledge", "snooze", "mitigate", "resolve"}]
        answers += [min(first) - one.opened_at] if first else []
        mitigations += [one.mitigated_at - one.opened_at] if one.mitigated_at else []
        if one.service_id is not None:
            until = busy_until.get(one.service_id)
            gaps += [one.opened_at - until] if until and until <= one.opened_at else []
            end = one.resolved_at or datetime.max.replace(tzinfo=UTC)
            busy_until[one.service_id] = max(end, until or end)
        if one.resolved_at is None:
            continue
        over += 1
        ends.append(one.resolved_at - one.opened_at)
        by_itself = one.resolved_by == "portal"
        acted = any(
            e.act not in {"acknowledge", "snooze", "unacknowledge"} and e.at <= one.resolved_at
            for e in entries
        )
        ended_at = max((a.resolved_at for a in one.alerts.all() if a.resolved_at), default=None)
        short += by_itself and (ended_at or one.resolved_at) - one.opened_at <= FIVE
        answered += bool(first)
        without += bool(first) and by_itself and not acted
    return {
        "count": len(rows),
        "unanswered": len(rows) - len(answers),
        "still_open": len(rows) - over,
        "to_acknowledge": answers,
        "to_mitigate": mitigations,
        "to_resolve": ends,
        "between": gaps,
        "without_action": Share(without, answered),
        "short": Share(short, over),
        "by_severity": Counter(one.severity for one in rows),
    }


def same(found: Figures, counted: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the figures that differ."""
    for name, value in counted.items():
        given, wanted = getattr(found, name), value
        if isinstance(value, list):
            given = given and _rounded(given)
            wanted = _spread([each.total_seconds() for each in value])
        if given != wanted:
            yield f"{name}: {given} is not {wanted}"


def _rounded(found: Spread) -> tuple[int, ...]:
    return found.n, *(round(each.total_seconds()) for each in found[1:])


def _spread(seconds: list[float]) -> tuple[int, ...] | None:
    if not seconds:
        return None
    p90 = quantiles(seconds, n=10, method="inclusive")[-1] if seconds[1:] else seconds[0]
    return len(seconds), *map(round, (fmean(seconds), median(seconds), p90))


def test_figures_are_what_a_count_by_hand_finds(portal: Portal) -> None:
    """For everybody, by service, by severity, by team; and so many are behind each figure."""
    Random(portal, random.Random(2)).live(100)
    admin = User.objects.create_user("root", role=Role.ADMIN)
    charlie = User.objects.create_user("charlie", role=Role.RESPONDER)
    rows = list(Incident.objects.exclude(status="merged").select_related("service__owner"))
    known = [row for row in rows if row.service and not row.service.is_private]
    question = Question(admin, MONDAY, portal.now + HOUR, UTC)
    cases = [
        (question, rows),
        (replace(question, user=charlie), known),
        (replace(question, service="search"), [r for r in rows if str(r.service) == "Search"]),
        (replace(question, severity="P1"), [r for r in rows if r.severity == "P1"]),
        (replace(question, team="them"), [r for r in rows if r.service and r.service.owner]),
        (replace(question, user=charlie, service="vault"), []),
    ]
    assert len(rows) > 20
    for asks, counted in cases:
        found = report(asks)
        assert list(same(found.now, by_hand(counted))) == []
        assert sum(each.count for each in found.promises) == len(counted)
        assert behind(asks) == {
            "acknowledged": found.now.count - found.now.unanswered,
            "unacknowledged": found.now.unanswered,
            "mitigated": found.now.to_mitigate.n if found.now.to_mitigate else 0,
            "resolved": found.now.count - found.now.still_open,
            "without_action": found.now.without_action.part,
            "short": found.now.short.part,
            "by_itself": sum(row.resolved_by == "portal" for row in counted if row.resolved_at),
            "answered_and_over": found.now.without_action.of,
            "without_service": sum(row.service_id is None for row in counted),
            "between": found.now.between.n if found.now.between else 0,
        }


def behind(question: Question) -> dict[str, int]:
    """Return how many incidents are listed behind each figure."""
    rows = with_facts(question.incidents(question.since).exclude(status="merged"))
    found = {name: rows.filter(condition).count() for name, (_, condition) in BEHIND.items()}
    return found | {"between": after_failures(question.incidents(question.since)).count()}


def test_more_incidents_cost_no_more_statements(portal: Portal) -> None:
    costs = []
    for count in (4, 2 * MOST_REPEATS):
        for number in range(count):
            service = Service.objects.create(slug=f"s-{count}-{number}", name="S")
            portal.alert(f"k-{count}-{number}", service=service)
        with CaptureQueriesContext(connection) as captured:
            asked(portal, portal.people["alice"])
        costs.append(len(captured))
    assert costs[0] == costs[1] <= 8


def test_the_oldest_is_first_whatever_the_order_of_rows(portal: Portal) -> None:
    """Times between failures need that."""
    first, second = portal.open_incident("one"), portal.open_incident("two")
    Incident.objects.filter(pk=second.pk).update(opened_at=MONDAY - HOUR)
    found = [one.pk for one in happened(Incident.objects.order_by("pk"))]
    assert found == [second.pk, first.pk]
