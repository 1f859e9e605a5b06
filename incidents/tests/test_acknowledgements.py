"""Levels that need more than one person: calling stops when enough have answered, not before."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from accounts.models import User
from incidents.models import Attempt, EscalationRun, Incident, Page, TimelineEntry
from incidents.queries.verification import check_invariants
from incidents.services import lifecycle
from incidents.services.messages import ack_token
from incidents.tests.oncall_portal import Portal, forged_attempts, portal
from oncall.models import LevelTarget

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def pair(portal: Portal) -> Portal:
    """L1 is alice and bob, and both must answer; L2 is bob, L3 carol, L4 dave."""
    level = portal.policy.levels.get(number=1)
    level.acknowledgements = 2
    level.save()
    LevelTarget.objects.create(level=level, person=portal.people["bob"])
    return portal


def answer(portal: Portal, incident: Incident, name: str) -> Incident:
    """Let somebody acknowledge."""
    person = portal.people[name]
    return lifecycle.acknowledge(incident.pk, now=portal.now, actor=person, person=person)


def broken(portal: Portal) -> list[str]:
    """Return which promises evidence does not bear out."""
    return [found.id for found in check_invariants(now=portal.now) if not found.holds]


def test_one_of_two_is_not_enough_and_is_not_called_again(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    assert pair.paged() == [(0, "alice"), (0, "bob")]
    found = answer(pair, incident, "alice")
    assert found.status == "triggered"
    assert found.responded_at == pair.now
    entry = TimelineEntry.objects.filter(incident=incident, act="acknowledge").get()
    assert (entry.actor, entry.text) == ("alice", "1 of 2 who must answer: calling goes on.")
    pair.fast_forward(minutes=47)
    # The loop comes back to L1 after 45 minutes: bob is called again, alice is not.
    assert pair.paged()[2:] == [(5, "bob"), (15, "carol"), (30, "dave"), (45, "bob")]


def test_the_second_one_ends_it(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    pair.fast_forward(minutes=4)
    found = answer(pair, incident, "bob")
    assert (found.status, found.acknowledged_by) == ("acknowledged", "bob")
    pair.fast_forward(minutes=30)
    assert pair.paged() == [(0, "alice"), (0, "bob")]


def test_the_same_person_twice_is_one_person(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    assert answer(pair, incident, "alice").status == "triggered"


def test_anybody_counts_also_who_was_not_called(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    assert answer(pair, incident, "dave").status == "acknowledged"


def test_who_answers_before_anybody_was_called_is_enough(pair: Portal) -> None:
    """Nobody has been asked for two yet: whoever is there first has it."""
    pair.policy.timings.create(severity="P0", level=1, after=timedelta(minutes=5))
    incident = pair.open_incident(severity="P0")
    assert answer(pair, incident, "alice").status == "acknowledged"


def test_a_later_level_asks_for_its_own_number(portal: Portal) -> None:
    portal.policy.levels.filter(number=2).update(acknowledgements=3)
    incident = portal.open_incident(severity="P0")
    portal.fast_forward(minutes=6)
    for name, status in (("alice", "triggered"), ("bob", "triggered"), ("dave", "acknowledged")):
        assert answer(portal, incident, name).status == status


def test_a_second_cycle_begins_to_count_anew(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    answer(pair, incident, "bob")
    lifecycle.unacknowledge(incident.pk, now=pair.now, actor="test")
    pair.settle()
    assert answer(pair, incident, "alice").status == "triggered"


def test_when_all_were_called_the_number_still_holds(pair: Portal) -> None:
    incident = pair.open_incident(severity="P0")
    pair.fast_forward(hours=4)
    assert EscalationRun.objects.get().state == "exhausted"
    assert answer(pair, incident, "alice").status == "triggered"
    assert answer(pair, incident, "bob").status == "acknowledged"


def test_what_waits_for_who_answered_is_taken_back_and_the_others_stays(pair: Portal) -> None:
    """A second method, ten minutes later: only of whoever has not answered it goes out."""
    for name in ("alice", "bob"):
        person = pair.people[name]
        method = pair.add_method(person)
        first = person.contact_methods.earliest("pk")
        person.notification_rules.create(urgency="high", method=first)
        person.notification_rules.create(urgency="high", method=method, delay=timedelta(minutes=3))
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    pair.fast_forward(minutes=4)
    assert pair.paged()[-1] == (3, "bob")
    assert {page.target for page in pair.pages(state="cancelled")} == {"user:alice"}


def test_the_link_says_how_many_are_still_needed(pair: Portal, client: Client) -> None:
    incident = pair.open_incident(severity="P0")
    token = ack_token(pair.pages(target="user:alice")[0])
    page = client.post(f"/i/{incident.pk}/ack/{token}/").content.decode()
    assert "1 of 2 who must answer" in page
    assert "<button" not in page.split("<main")[1]
    client.force_login(User.objects.get(username="bob"))
    assert "alice (1 of 2 who must answer)" in client.get(f"/i/{incident.pk}").content.decode()
    shown = client.get(f"/api/v1/incidents/{incident.pk}/").json()
    assert [each["by"] for each in shown["acknowledgements"]] == ["alice"]


def test_a_call_cut_by_a_crash_is_not_repeated_to_who_has_answered(pair: Portal) -> None:
    """It was on its way while they answered, its sender died, and its lease ran out."""
    incident = pair.open_incident(severity="P0")
    for page, name in zip(pair.pages(), ("alice", "bob"), strict=True):
        with forged_attempts():
            page.tries.update(outcome="", ended_at=None, owner="dead")
        Page.objects.filter(pk=page.pk).update(state="sending", owner="dead", look_at=pair.now)
        assert page.target == f"user:{name}"
    answer(pair, incident, "alice")
    pair.post.sent.clear()
    pair.settle()
    assert [sent.to for sent in pair.post.sent] == ["bob-email@example.com"]
    cut = pair.pages(target="user:alice")[0]
    assert (cut.state, cut.problem) == ("cancelled", "They have answered.")
    assert [attempt.outcome for attempt in cut.tries.all()] == ["uncertain"]


def test_a_call_that_failed_is_not_tried_again_when_they_have_answered(pair: Portal) -> None:
    pair.post.refusing, pair.post.is_final = {"alice-email@example.com"}, False
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    pair.post.refusing.clear()
    pair.fast_forward(minutes=3)
    assert pair.paged() == [(0, "bob")]


def test_a_part_of_the_answers_is_a_response_but_ends_no_calling(pair: Portal) -> None:
    """As evidence has it, and the incident itself: acknowledged is what nobody is called for."""

    def acked() -> list[bool]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT acked_at IS NOT NULL FROM ev_incident")
            return [bool(row[0]) for row in cursor.fetchall()]

    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    assert acked() == [False]
    pair.fast_forward(minutes=6)
    assert broken(pair) == []
    found = answer(pair, incident, "bob")
    assert acked() == [True]
    assert found.responded_at == pair.now - timedelta(minutes=6)
    assert found.calling_ended_at == pair.now
    pair.fast_forward(minutes=30)
    assert broken(pair) == []


def test_an_attempt_that_ended_is_never_changed_again(portal: Portal) -> None:
    """The database itself refuses, whoever asks."""
    portal.open_incident(severity="P0")
    attempt = Attempt.objects.get()
    assert attempt.ended_at is not None
    for change in (
        lambda: Attempt.objects.update(outcome="failed"),
        lambda: Attempt.objects.filter(pk=attempt.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()
    begun = Attempt.objects.create(
        page=attempt.page, number=2, owner="pager-2", started_at=portal.now
    )
    Attempt.objects.filter(pk=begun.pk).update(ended_at=portal.now, outcome="failed")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Attempt.objects.filter(pk=begun.pk).update(outcome="sent")


def test_a_snooze_of_one_of_two_is_an_answer_and_stops_no_calling(pair: Portal) -> None:
    """Whoever snoozes has answered; the others are still called, until enough have."""
    incident = pair.open_incident(severity="P0")
    alice = pair.people["alice"]
    until = pair.now + timedelta(hours=2)
    found = lifecycle.snooze(incident.pk, until=until, now=pair.now, actor=alice, person=alice)
    assert (found.status, found.snoozed_until, found.responded_at) == ("triggered", None, pair.now)
    entry = TimelineEntry.objects.filter(incident=incident, act="acknowledge").get()
    assert (entry.actor, entry.text) == (
        "alice",
        "1 of 2 who must answer: calling goes on, and nothing is snoozed.",
    )
    pair.fast_forward(minutes=16)
    assert pair.paged()[2:] == [(5, "bob"), (15, "carol")]
    bob = pair.people["bob"]
    found = lifecycle.snooze(incident.pk, until=until, now=pair.now, actor=bob, person=bob)
    assert (found.status, found.snoozed_until) == ("acknowledged", until)
    pair.fast_forward(minutes=60)
    assert len(pair.paged()) == 4


def test_whoever_snoozes_too_early_is_told_how_many_are_missing(
    pair: Portal, client: Client
) -> None:
    incident = pair.open_incident(severity="P0")
    client.force_login(pair.people["alice"])
    said = "Your answer counts, 1 of 2 who must answer: calling goes on, and nothing is snoozed."
    page = client.post(f"/i/{incident.pk}/snooze/", {"minutes": "60"}, follow=True)
    assert said in page.content.decode()
    until = (pair.now + timedelta(hours=1)).isoformat()
    answered = client.post(
        f"/api/v1/incidents/{incident.pk}/snooze/", {"until": until}, "application/json"
    )
    assert (answered.status_code, answered.json()["detail"]) == (409, said)
    shown = client.get(f"/api/v1/incidents/{incident.pk}/").json()
    assert [each["by"] for each in shown["acknowledgements"]] == ["alice"]
    assert (shown["status"], shown["snoozed_until"]) == ("triggered", None)


def test_all_who_answered_are_asked_whether_they_are_still_on_it(pair: Portal) -> None:
    """One sign of life is enough: nobody else is asked twice."""
    pair.policy.ack_timeout = timedelta(minutes=30)
    pair.policy.save()
    incident = pair.open_incident(severity="P0")
    answer(pair, incident, "alice")
    answer(pair, incident, "bob")
    pair.fast_forward(minutes=30)
    assert pair.paged()[2:] == [(30, "bob"), (30, "alice")]
    entry = TimelineEntry.objects.filter(incident=incident, act="still_on_it").get()
    assert entry.text == "Asked bob, alice: still on it?"
    answer(pair, incident, "alice")
    pair.fast_forward(minutes=10)
    incident.refresh_from_db()
    assert incident.status == "acknowledged"


def test_a_walk_that_was_set_aside_asks_for_no_more_than_it_called(pair: Portal) -> None:
    """L1 asks for two and was called; L3, which asks for four, never will be."""
    pair.policy.levels.filter(number=3).update(acknowledgements=4)
    incident = pair.open_incident(severity="P0")
    EscalationRun.objects.update(state="quarantined")
    answer(pair, incident, "alice")
    assert answer(pair, incident, "bob").status == "acknowledged"
