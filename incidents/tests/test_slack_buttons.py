"""What the buttons of a Slack message do: the same as the page and the API, for whoever may."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from catalog.models import Service
from core import encryption
from core.models import AuditEntry
from incidents.models import Incident
from incidents.services import channels, lifecycle, merging, sending
from incidents.services.messages import message_for
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.test_slack import FakeSlack, alice, answered, press, slack
from notifications.domain.kinds import Kind
from notifications.transports.slack import posts_of

__all__ = ["alice", "portal", "slack"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
ACTS = ["acknowledge", "escalate", "snooze", "resolve"]


@pytest.fixture(autouse=True)
def _clock(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incidents.webhooks.slack.clock.now", lambda: portal.now)


def elements(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the buttons below a message, by what they do."""
    (row,) = [block for block in blocks if block["type"] == "actions"]
    found = {each["action_id"].split("-")[0]: each for each in row["elements"]}
    assert len({each["action_id"] for each in row["elements"]}) == len(row["elements"])
    return found


def buttons(portal: Portal, incident: Incident) -> dict[str, dict[str, Any]]:
    """Return the buttons of the newest message about an incident."""
    page = incident.pages.order_by("-pk")[0]
    return elements(posts_of(message_for([page], page.key, now=portal.now))[-1])


def tap(button: dict[str, Any], member: str = "U0ALICE11", **values: Any) -> None:
    """Press a button of a message."""
    answer = press(button["value"], member, action_id=button["action_id"], **values)
    assert answer.status_code == 200


def now(incident: Incident) -> Incident:
    """Return an incident as it stands."""
    return Incident.objects.get(pk=incident.pk)


def acts(incident: Incident, act: str) -> int:
    """Return how often something was done to an incident."""
    return incident.timeline.filter(act=act).count()


def viewer(portal: Portal, name: str = "bob", member: str = "U0BOBBB11") -> User:
    """Let somebody who may only look have Slack too."""
    person = portal.people[name]
    portal.add_method(person, Kind.SLACK, sealed_address=encryption.encrypt(member))
    User.objects.filter(pk=person.pk).update(role=Role.VIEWER)
    return person


def test_a_message_about_one_incident_has_all_that_is_done_at_once(
    portal: Portal, alice: User
) -> None:
    """Slack itself asks again before an incident is said to be over."""
    incident = portal.open_incident()
    found = buttons(portal, incident)
    assert [*found] == [*ACTS, "open"]
    of = f"{incident.pk}.1.{int(incident.opened_at.timestamp())}"
    step = incident.runs.get().next_step
    assert [each.get("value") for each in found.values()] == [of, f"{of}.{step}", of, of, None]
    assert [name for name in ACTS if "confirm" in found[name]] == ["resolve"]
    assert found["resolve"]["confirm"]["confirm"]["text"] == "Resolve"


def test_news_ask_nothing_and_digests_ask_for_one_thing(portal: Portal, alice: User) -> None:
    first, second = portal.open_incident(), portal.open_incident("Another")
    pages = [first.pages.earliest("pk"), second.pages.earliest("pk")]
    digest = elements(posts_of(message_for(pages, "key", now=portal.now))[-1])
    assert [*digest] == ["acknowledge", "open"]
    first.pages.update(reason="taken")
    assert [*buttons(portal, first)] == ["open"]


def test_a_message_is_written_without_the_database(
    portal: Portal, alice: User, django_assert_num_queries: Any
) -> None:
    """Which call comes next is read as the page is claimed."""
    incident = portal.open_incident()
    incident.pages.update(state="waiting", look_at=portal.now)
    claimed = sending.claim(owner="pager-1", now=portal.now, limit=10)
    assert len(claimed) == 2
    with django_assert_num_queries(0):
        said = [message_for(each.pages, each.key, now=portal.now) for each in claimed]
    step = incident.runs.get().next_step
    assert [each.facts["next_step"] for each in said] == [step, step]


def test_where_everybody_was_called_there_is_nobody_to_escalate_to(
    portal: Portal, alice: User
) -> None:
    incident = portal.open_incident()
    incident.runs.update(state="exhausted")
    assert [*buttons(portal, incident)] == ["acknowledge", "snooze", "resolve", "open"]


def test_each_button_does_what_the_page_does(portal: Portal, slack: FakeSlack, alice: User) -> None:
    """Under the name of whoever pressed, and all in the channel read it."""
    incident = portal.open_incident()
    found = buttons(portal, incident)
    number = f"#{incident.pk}"
    tap(found["escalate"])
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2}
    assert answered(slack) == (
        "in_channel",
        f"{number} escalated by alice: the next level is called now.",
    )
    tap(found["snooze"])
    assert now(incident).snoozed_until == portal.now + timedelta(hours=1)
    assert answered(slack) == (
        "in_channel",
        f"{number} snoozed by alice until 2026-03-02 04:00 UTC.",
    )
    tap(found["resolve"])
    assert (now(incident).status, now(incident).resolved_by) == ("resolved", "alice")
    assert answered(slack) == ("in_channel", f"{number} resolved by alice.")
    done = AuditEntry.objects.filter(actor="user:alice").values_list("act", flat=True)
    assert {"incident.escalated", "incident.snoozed", "incident.resolved"} <= {*done}


def test_a_snooze_while_others_must_answer_is_an_answer(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    portal.policy.levels.filter(number=1).update(acknowledgements=2)
    incident = portal.open_incident()
    tap(buttons(portal, incident)["snooze"])
    assert (now(incident).status, now(incident).snoozed_until) == ("triggered", None)
    to, said = answered(slack)
    assert to == "in_channel"
    assert said.startswith(f"#{incident.pk}: alice has answered, 1 of 2 who must answer: calling")


def test_a_second_tap_changes_nothing(portal: Portal, slack: FakeSlack, alice: User) -> None:
    """By others neither: a longer snooze stays, and nobody else is called."""
    incident = portal.open_incident()
    found = buttons(portal, incident)
    for told in ("in_channel", "ephemeral"):
        tap(found["escalate"])
        assert answered(slack)[0] == told
    portal.settle()
    tap(found["escalate"])
    portal.settle()
    assert "Somebody was called since you looked" in answered(slack)[1]
    assert {page.level for page in incident.pages.all()} == {1, 2}
    until, bob = portal.now + timedelta(hours=4), portal.people["bob"]
    lifecycle.snooze(incident.pk, until=until, now=portal.now, actor=bob, person=bob)
    tap(found["snooze"])
    assert answered(slack) == (
        "ephemeral",
        f"#{incident.pk}: bob snoozed it until 2026-03-02 07:00 UTC.",
    )
    for _ in range(2):
        tap(found["resolve"])
    assert answered(slack) == ("ephemeral", f"#{incident.pk} was resolved by alice already.")
    assert [acts(incident, act) for act in ("escalate", "snooze", "resolve")] == [1, 1, 1]


@pytest.mark.parametrize("act", ACTS)
def test_one_press_that_is_told_twice_is_done_once(
    portal: Portal, slack: FakeSlack, alice: User, act: str
) -> None:
    incident = portal.open_incident()
    button = buttons(portal, incident)[act]
    for _ in range(2):
        tap(button, action_ts="1700000000.000200")
        portal.now += timedelta(minutes=2)
    assert acts(incident, act) == 1
    by_whom = f"#{incident.pk} was resolved by alice already."
    said = by_whom if act == "resolve" else f"#{incident.pk}: that is done already."
    assert answered(slack) == ("ephemeral", said)


def test_a_press_that_was_refused_may_be_told_again(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    incident = portal.open_incident()
    button = buttons(portal, incident)["snooze"]
    lifecycle.mitigate(incident.pk, now=portal.now, actor="test")
    for _ in range(2):
        tap(button, action_ts="1700000000.000200")
        assert "cannot be snoozed" in answered(slack)[1]
        assert answered(slack)[0] == "ephemeral"


def test_who_was_called_acknowledges_and_needs_the_role_for_more(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    viewer(portal)
    incident = portal.open_incident()
    portal.fast_forward(minutes=5)
    found = buttons(portal, incident)
    for act in ("escalate", "snooze", "resolve"):
        tap(found[act], "U0BOBBB11")
        assert answered(slack) == (
            "ephemeral",
            "bob may acknowledge what they are called for, no more.",
        )
    assert (now(incident).status, acts(incident, "escalate")) == ("triggered", 0)
    tap(found["acknowledge"], "U0BOBBB11")
    assert (now(incident).status, now(incident).acknowledged_by) == ("acknowledged", "bob")


@pytest.mark.parametrize("act", ACTS)
def test_who_may_not_know_of_an_incident_learns_nothing(
    portal: Portal, slack: FakeSlack, alice: User, act: str
) -> None:
    incident, bob = portal.open_incident(), portal.people["bob"]
    portal.add_method(bob, Kind.SLACK, sealed_address=encryption.encrypt("U0BOBBB11"))
    Service.objects.update(is_private=True)
    tap({"value": f"{incident.pk}.1", "action_id": f"{act}-{incident.pk}"}, "U0BOBBB11")
    assert answered(slack) == ("ephemeral", "There is no such incident.")
    assert now(incident).status == "triggered"


@pytest.mark.parametrize("act", ACTS)
def test_a_button_of_before_shows_one_of_now(
    portal: Portal, slack: FakeSlack, alice: User, act: str
) -> None:
    """People were called anew since: a pinned summary stays of use, and does nothing unseen."""
    incident = portal.open_incident()
    button = buttons(portal, incident)[act]
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    lifecycle.unacknowledge(incident.pk, now=portal.now, actor="test")
    portal.settle()
    tap(button)
    assert now(incident).status == "triggered"
    assert "people were called anew since" in answered(slack)[1]
    fresh = elements(slack.asked[-1][1]["blocks"])
    assert [*fresh] == [act]
    tap(fresh[act])
    assert acts(incident, act) == (2 if act == "acknowledge" else 1)
    assert answered(slack)[0] == "in_channel"


def test_who_escalates_by_an_old_message_is_shown_who_would_be_called(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    incident = portal.open_incident()
    button = buttons(portal, incident)["escalate"]
    portal.fast_forward(minutes=5)
    tap(button)
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2}
    fresh = elements(slack.asked[-1][1]["blocks"])["escalate"]
    assert fresh["text"]["text"] == "Escalate to L3"
    tap(fresh)
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2, 3}


def test_a_message_of_no_walk_asks_before_it_calls(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    """Whoever was given an incident, or is asked whether they are still on it."""
    incident = portal.open_incident()
    incident.pages.update(run=None)
    tap(buttons(portal, incident)["escalate"])
    assert answered(slack) == ("ephemeral", f"#{incident.pk}: this calls L2 now.")
    tap(elements(slack.asked[-1][1]["blocks"])["escalate"])
    portal.settle()
    assert {page.level for page in incident.pages.all()} == {1, 2}


def test_what_is_merged_or_over_is_left_as_it_is(
    portal: Portal, slack: FakeSlack, alice: User
) -> None:
    incident, other = portal.open_incident(), portal.open_incident("Another")
    found = buttons(portal, incident)
    merging.merge(incident.pk, into=other.pk, now=portal.now, actor="test")
    for act in ("snooze", "resolve"):
        tap(found[act])
        said = f"#{incident.pk}: It was merged: it lives on in #{other.pk}."
        assert answered(slack) == ("ephemeral", said)
    tap(found["escalate"])
    assert "Nobody is left to call" in answered(slack)[1]
    assert "blocks" not in slack.asked[-1][1]
    assert now(other).status == "triggered"


@pytest.mark.parametrize("at", ["\ud800", "9" * 5000, "\x00", ""])
def test_an_odd_time_of_a_press_is_no_error_of_ours(
    portal: Portal, slack: FakeSlack, alice: User, at: str
) -> None:
    incident = portal.open_incident()
    tap(buttons(portal, incident)["snooze"], action_ts=at)
    assert now(incident).snoozed_until == portal.now + timedelta(hours=1)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{pk}.1.7", "not known any more"),
        ("{pk}.1.{at}.x.y.z", "none of ours"),
        ("", "none of ours"),
    ],
)
def test_what_no_message_had_is_none_of_ours(
    portal: Portal, slack: FakeSlack, alice: User, act: str, value: str, said: str
) -> None:
    incident = portal.open_incident()
    at = int(incident.opened_at.timestamp())
    tap({"value": value.format(pk=incident.pk, at=at), "action_id": f"{act}-{incident.pk}"})
    assert said in answered(slack)[1]
    assert (now(incident).status, acts(incident, act)) == ("triggered", 0)


def test_a_pinned_summary_has_the_buttons(portal: Portal, slack: FakeSlack, alice: User) -> None:
    incident = portal.open_incident("<!channel> 5xx")
    channels.open_due(now=portal.now)
    posted = next(said for method, said in slack.asked if method == "chat.postMessage")
    found = elements(posted["blocks"])
    assert [*found] == [*ACTS, "open"]
    assert "&lt;!channel&gt; 5xx" in posted["blocks"][0]["text"]["text"]
    assert "pins.add" in slack.methods()
    tap(found["escalate"])
    portal.settle()
    tap(found["acknowledge"])
    assert {page.level for page in incident.pages.exclude(reason="taken")} == {1, 2}
    assert now(incident).acknowledged_by == "alice"
