"""`manage.py verify`, `simulate` and `oncall_check`: what scripts rely on."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from catalog.models import Team
from incidents.models import Attempt, Incident, Page
from incidents.queries.simulation import simulate
from incidents.services import lifecycle
from incidents.tests.oncall_portal import Portal, forged_attempts, portal
from notifications.domain.kinds import Kind
from notifications.models import ContactMethod, NotificationRule
from oncall.models import (
    EscalationPolicy,
    FallbackContact,
    LevelTarget,
    PolicyLevel,
    Schedule,
    ServicePolicy,
)

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def run(*arguments: str, status: int = 0) -> Any:
    """Run a command with `--json`; returns what it printed."""
    output = StringIO()
    code = 0
    try:
        call_command(*arguments, "--json", stdout=output)
    except SystemExit as ended:
        code = int(str(ended.code))
    except CommandError as error:
        code = error.returncode
    assert code == status
    return json.loads(output.getvalue()) if output.getvalue() else None


def broken(status: int = 1) -> set[str]:
    found = run("verify", status=status)
    return {each["id"] for each in found["invariants"] if not each["holds"]}


def test_verify_holds_after_a_night(portal: Portal) -> None:
    """Escalated, acknowledged, resolved: every invariant holds, and what is blind is said."""
    incident = portal.open_incident()
    portal.fast_forward(minutes=20)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    portal.fast_forward(hours=3)
    lifecycle.resolve(incident.pk, now=portal.now, actor="test")
    found = run("verify")
    assert all(each["holds"] and each["checked"] for each in found["invariants"])
    assert len(found["blind"]) >= 3


def test_verify_finds_each_broken_promise(portal: Portal) -> None:
    portal.open_incident()
    portal.fast_forward(minutes=2)
    page = Page.objects.get()
    with forged_attempts():
        Attempt.objects.all().delete()
        assert broken() == {"sent-pages-were-taken-by-a-provider", "attempts-are-counted"}
        for number in (1, 2):
            Attempt.objects.create(
                page=page, number=number, owner="x", started_at=portal.now, ended_at=portal.now,
                outcome="sent",
            )  # fmt: skip
        Page.objects.update(attempts=2)
        assert broken() == {"no-page-is-sent-twice"}
        Attempt.objects.filter(number=2).delete()
    Page.objects.update(attempts=1)
    Incident.objects.update(calling_ended_at=portal.now - timedelta(seconds=30))
    Page.objects.update(created_at=portal.now - timedelta(seconds=50))
    assert broken() == {"nobody-is-called-after-an-acknowledgement"}
    with forged_attempts():
        Page.objects.all().delete()
    Incident.objects.update(calling_ended_at=None)
    assert broken() == {"open-incidents-are-called"}
    Incident.objects.update(calling_ended_at=portal.now - timedelta(days=1))
    assert broken() == {"times-are-in-order"}


def test_simulate_says_who_is_called_when(portal: Portal) -> None:
    LevelTarget.objects.filter(level__number=2).delete()
    found = run("simulate", "--service", "checkout", "--severity", "P0",
                "--at", "2026-03-08T03:00:00Z")  # fmt: skip
    assert found["policy"] == "standard"
    assert [(call["at"][11:16], call["level"], call["person"]) for call in found["calls"][:5]] == [
        ("03:00", 1, "alice"), ("03:05", 2, None), ("03:05", 3, "carol"), ("03:20", 4, "dave"),
        ("03:35", 1, "alice"),
    ]  # fmt: skip
    assert not Page.objects.exists()
    assert run("simulate", "--service", "none", "--severity", "P0", status=2) is None
    for at in ("", "x", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        found = run("simulate", "--service", "checkout", "--severity", "P0", "--at", at, status=2)
        assert found is None


def without_ways(portal: Portal) -> None:
    ContactMethod.objects.all().delete()


def without_anything(portal: Portal) -> None:
    ContactMethod.objects.all().delete()
    User.objects.update(email="")


def of_one_level(portal: Portal) -> None:
    PolicyLevel.objects.filter(number__gt=1).delete()
    ContactMethod.objects.filter(person=portal.people["alice"]).delete()


def of_channels(portal: Portal) -> None:
    portal.add_method(portal.people["bob"], Kind.SMS)
    team = Team.objects.create(slug="web", name="Web")
    channel = ContactMethod.objects.get(kind=Kind.SMS)
    channel.person, channel.team = None, team
    channel.save()
    LevelTarget.objects.filter(level__number__in=[2, 4]).update(person=None, channel=channel)
    FallbackContact.objects.create(channel=channel)


def of_rules(portal: Portal) -> None:
    portal.add_low_rule("alice")
    for minutes, kind in ((0, Kind.EMAIL), (3, Kind.SMS)):
        NotificationRule.objects.create(
            person=portal.people["bob"],
            urgency="high",
            method=portal.add_method(portal.people["bob"], kind),
            delay=timedelta(minutes=minutes),
        )
    FallbackContact.objects.create(person=portal.people["bob"])


def of_nobody(portal: Portal) -> None:
    ServicePolicy.objects.all().delete()
    EscalationPolicy.objects.all().delete()


WORLDS = (
    lambda _portal: None, without_ways, without_anything, of_one_level, of_channels, of_rules,
    of_nobody,
)  # fmt: skip


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
@pytest.mark.parametrize("world", WORLDS)
def test_what_is_simulated_is_what_the_pager_does(
    portal: Portal, world: Callable[[Portal], None], severity: str
) -> None:
    world(portal)
    portal.people["dave"].role = Role.ADMIN
    portal.people["dave"].save()
    calls = simulate(portal.service, severity, portal.now)[1]
    portal.open_incident(severity=severity)
    portal.fast_forward(hours=48)
    made = Page.objects.filter(reason__in=("escalation", "fallback"))
    assert sorted((page.due_at, page.level, page.channel, page.target) for page in made) == sorted(
        (call.at, call.level, call.channel, targeted(call.person)) for call in calls if call.channel
    )


def targeted(name: str) -> str:
    """Return how pages name what the simulator names."""
    channel = ContactMethod.objects.filter(person=None).first()
    return f"channel:{channel.pk}" if channel and str(channel) == name else f"user:{name}"


def test_oncall_check_finds_holes_before_they_matter(portal: Portal) -> None:
    FallbackContact.objects.create(person=portal.people["dave"])
    assert run("oncall_check") == {"days": 90, "holes": [], "notes": []}
    ContactMethod.objects.filter(person=portal.people["alice"]).update(verified_at=None)
    portal.people["bob"].is_active = False
    portal.people["bob"].save()
    LevelTarget.objects.filter(level__number=3).update(
        person=None, schedule=Schedule.objects.create(slug="empty", name="Empty")
    )
    LevelTarget.objects.filter(level__number=4).delete()
    EscalationPolicy.objects.create(slug="void", name="Void")
    FallbackContact.objects.all().delete()
    found = run("oncall_check", "--days", "7", status=1)["holes"]
    assert {(hole["kind"], hole["subject"]) for hole in found} == {
        ("unreachable", "policy:standard"),
        ("inactive", "policy:standard"),
        ("empty_level", "policy:standard"),
        ("gap", "schedule:empty"),
        ("empty_policy", "policy:void"),
        ("no_fallback", "fallback"),
    }
    assert run("oncall_check", "--days", "0", status=2) is None


def test_the_simulator_is_a_page_too(portal: Portal, client: Client) -> None:
    client.force_login(portal.people["alice"])
    address = "/incidents/simulate/"
    assert client.get(address).status_code == 200
    shown = client.get(f"{address}?service=checkout&severity=P0&at=2026-03-08T03:00")
    page = shown.content.decode()
    assert [(str(call.person), str(after)) for call, after in shown.context["calls"]][:3] == [
        ("alice", "0:00:00"), ("bob", "0:05:00"), ("carol", "0:15:00"),
    ]  # fmt: skip
    assert "8 Mar 2026, 03:15" in page
    assert client.get(f"{address}?service=nothing").status_code == 400
    assert client.get(f"{address}?service=checkout&at=never").status_code == 400


def test_the_check_is_a_page_too(portal: Portal, client: Client) -> None:
    client.force_login(portal.people["alice"])
    LevelTarget.objects.filter(level__number=2).delete()
    page = client.get("/oncall/check/").content.decode()
    assert "L2 L2 calls nobody." in page
