"""Receipts of incidents: what else is told to people, targets, tries and what is not known."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from accounts.tests.cast import person
from catalog.models import Team
from core import encryption
from incidents.domain.receipts import Ruling
from incidents.domain.roles import RoleName
from incidents.queries import receipts
from incidents.services import lifecycle, roles, sending
from incidents.services.due import Queues
from incidents.tests.incident_receipts import acknowledge, found, one, reader, receipt
from incidents.tests.oncall_portal import Portal, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod
from oncall.models import (
    LevelTarget,
    Timing,
)

__all__ = ["portal", "reader", "receipt"]

pytestmark = [pytest.mark.django_db]


def test_news_for_others_are_no_calls(portal: Portal, receipt: Any) -> None:
    """Who was called hears that somebody else has answered: that is told as what it is."""
    portal.add_low_rule("alice")
    incident = portal.open_incident()
    acknowledge(portal, incident, "bob")
    assert one(receipt(incident), "message", Ruling.NO_EFFECT).startswith(
        "alice was told by email at 03:00 UTC. Who was called hears that somebody else has answered, or"
    )


def test_who_is_asked_to_take_a_role_is_not_called(portal: Portal, receipt: Any) -> None:
    portal.add_low_rule("bob")
    incident, boss = portal.open_incident(), person("boss", role=Role.ADMIN)
    scribe, bob = RoleName.SCRIBE, portal.people["bob"]
    roles.offer(incident.pk, role=scribe, to=bob, person=boss, now=portal.now, actor=boss)
    portal.fast_forward(minutes=1)
    told = one(receipt(incident), "message", Ruling.NO_EFFECT)
    assert told.startswith("bob was told by email at 03:01 UTC.")
    assert "They are asked to take the role scribe." in told


def test_each_kind_of_target_is_named(portal: Portal, receipt: Any) -> None:
    """A member of a team, everybody of a role, and a team's channel."""
    team = Team.objects.create(slug="shop", name="Shop")
    team.members.add(portal.people["bob"])
    channel = ContactMethod.objects.create(
        team=team,
        kind=Kind.SLACK,
        label="#shop",
        sealed_address=encryption.encrypt("C0123456"),
        verified_at=portal.now,
    )
    User.objects.filter(username="carol").update(role=Role.MANAGER)
    level = portal.policy.levels.get(number=1)
    level.targets.all().delete()
    for target in ({"team": team}, {"role": Role.MANAGER}, {"channel": channel}):
        LevelTarget.objects.create(level=level, **target)
    told = [verdict.text for verdict in found(receipt(portal.open_incident()), "message")]
    assert any("the team “Shop”, of which bob was a member" in text for text in told)
    assert any("everybody with the role manager, which carol had" in text for text in told)
    assert any(
        "Slack: #shop was called by Slack at 03:00 UTC. L1 calls that channel." in text
        for text in told
    )


def test_what_people_do_by_hand_is_told(portal: Portal, receipt: Any) -> None:
    """Escalated, given away, less bad, acknowledged twice."""
    incident = portal.open_incident()
    minute = {"minutes": 1}
    portal.fast_forward(**minute)
    lifecycle.escalate(incident.pk, now=portal.now, actor=portal.people["alice"])
    portal.fast_forward(**minute)
    lifecycle.set_severity(incident.pk, severity="P1", now=portal.now, actor="alice")
    portal.fast_forward(**minute)
    lifecycle.assign(
        incident.pk, to=portal.people["dave"], now=portal.now, actor=portal.people["bob"]
    )
    portal.settle()
    for _ in range(2):
        portal.fast_forward(**minute)
        acknowledge(portal, incident, "dave")
    told = receipt(incident)
    assert one(told, "escalate", Ruling.DECIDED) == "alice had the next level called at once."
    assert one(told, "severity", Ruling.DECIDED).startswith("P0 → P1. Who was called already")
    assert one(told, "assign", Ruling.DECIDED) == "bob gave it: To dave."
    assert "dave was called by email at 03:03 UTC. It was given to them." in [
        verdict.text for verdict in found(told, "message", Ruling.CALLED)
    ]
    assert one(told, "acknowledge", Ruling.NO_EFFECT).startswith("dave acknowledged once more")
    assert "these are the times as of the last change" in found(told, "policy")[0].text


def test_whether_somebody_is_still_on_it_is_asked_and_told(portal: Portal, receipt: Any) -> None:
    portal.policy.ack_timeout = timedelta(minutes=10)
    portal.policy.save()
    incident = portal.open_incident()
    acknowledge(portal, incident, "alice")
    assert "At 03:10 UTC whoever works on it is asked" in one(
        receipt(incident), "ack_timeout", Ruling.NEXT
    )
    portal.fast_forward(minutes=10)
    told = receipt(incident)
    assert one(told, "still_on_it", Ruling.DECIDED) == "Asked alice: still on it?"
    assert found(told, "message")[-1].text == (
        "alice was called by email at 03:10 UTC. They had answered, and were asked whether they are still on it."
    )
    assert found(told, "ack_lapse", Ruling.NEXT)


def test_tries_are_counted(portal: Portal, receipt: Any) -> None:
    """Refused for now: tried again, and then taken."""
    portal.post.refusing.add("alice-email@example.com")
    portal.post.is_final = False
    incident = portal.open_incident()
    assert "is tried again at 03:00 UTC: The receiver refuses." in one(
        receipt(incident), "message", Ruling.PUT_OFF
    )
    portal.post.refusing.clear()
    portal.fast_forward(minutes=1)
    assert "2 attempts; the first failed: The receiver refuses." in one(
        receipt(incident), "message", Ruling.CALLED
    )


def test_what_a_crash_cut_is_in_doubt(portal: Portal, receipt: Any) -> None:
    """While it is being sent, and once its lease has run out: a P2 is sent at most once."""
    opening = lifecycle.Opening("P2", "5xx", service_id=portal.service.pk)
    incident = lifecycle.declare(opening, now=portal.now, actor="test")
    Queues().fire_steps(now=portal.now)
    sending.claim(owner="dies", now=portal.now, limit=10)
    assert "it is being sent" in one(receipt(incident), "message", Ruling.PUT_OFF)
    portal.fast_forward(minutes=5)
    told = receipt(incident)
    assert found(told, "message", Ruling.NOT_RECORDED)[0].text.startswith(
        "Whether alice was called by email is not known: Its sender died"
    )


def test_that_everybody_was_called_is_told(portal: Portal, receipt: Any) -> None:
    incident = portal.open_incident(severity="P2")
    portal.fast_forward(hours=12)
    told = receipt(incident)
    assert one(told, "everybody_called", Ruling.NOT_CALLED).startswith("Every level was called")
    assert one(told, "next", Ruling.NEXT) == "Nobody else is called."


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("resolve", "it was resolved at 03:01 UTC, before anybody was due"),
        ("mitigate", "users no longer noticed it at 03:01 UTC, before anybody was due"),
        ("acknowledge", "alice had taken it on at 03:01 UTC, before anybody was due"),
        ("", "the first level is not due before 03:30 UTC"),
    ],
)
def test_nobody_was_called_before_the_first_level_was_due(
    portal: Portal, receipt: Any, end: str, why: str
) -> None:
    Timing.objects.create(policy=portal.policy, severity="P0", level=1, after=timedelta(minutes=30))
    incident = portal.open_incident()
    portal.fast_forward(minutes=1)
    if end:
        getattr(lifecycle, end)(incident.pk, now=portal.now, actor=portal.people["alice"])
    assert receipt(incident).answer == f"Nobody was called, because {why}."


def test_of_very_many_calls_the_newest_are_told(
    portal: Portal, receipt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left out is not said to be not recorded."""
    monkeypatch.setattr(receipts, "_MOST", 3)
    incident = portal.open_incident()
    portal.fast_forward(minutes=40)
    told = receipt(incident)
    assert not told.is_whole
    assert told.answer.startswith("Of the newest calls: bob was called by email at 03:05 UTC")
    assert not found(told, "message", Ruling.NOT_RECORDED)
    assert all("not recorded" not in verdict.text for verdict in found(told, "message"))
