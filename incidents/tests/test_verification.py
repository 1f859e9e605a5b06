"""What `manage.py verify` finds where somebody, or a fault, changed what is stored; and where it must not."""

from datetime import timedelta

import pytest

from incidents.models import Attempt, CallDecision, Incident, Page
from incidents.queries.verification import check_invariants
from incidents.services import lifecycle
from incidents.services.lifecycle import Opening
from incidents.services.merging import merge
from incidents.tests.oncall_portal import Portal, portal
from incidents.tests.oncall_portal import forged as unguarded
from oncall.models import Timing

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def broken(portal: Portal) -> set[str]:
    return {each.id for each in check_invariants(now=portal.now) if not each.holds}


def forged(page: Page, **changes: object) -> None:
    """Add another page beside one, sent just as that."""
    page.pk, page.key = None, "f" * 64
    for name, value in changes.items():
        setattr(page, name, value)
    page.save()
    at = page.sent_at or page.created_at
    Attempt.objects.create(
        page=page, number=1, owner="x", started_at=at, ended_at=at, outcome="sent"
    )


def test_a_page_beside_the_same_one_is_a_second_call(portal: Portal) -> None:
    portal.open_incident()
    assert broken(portal) == set()
    forged(Page.objects.get())
    assert broken(portal) == {"nobody-is-called-twice-for-a-step"}


def test_a_call_whose_reasons_are_gone_is_found(portal: Portal) -> None:
    """They are stored once for many, and no foreign key keeps them."""
    portal.open_incident()
    assert broken(portal) == set()
    with unguarded("incidents_calldecision"):
        CallDecision.objects.all()._raw_delete("default")
    assert broken(portal) == {"what-decided-calls-is-kept"}


def test_a_page_that_is_made_after_the_answer_is_found(portal: Portal) -> None:
    incident = portal.open_incident()
    lifecycle.acknowledge(incident.pk, now=portal.now, actor="test")
    later = portal.now + timedelta(minutes=50)
    forged(Page.objects.get(), step=2, created_at=later, due_at=later, sent_at=later)
    assert broken(portal) == {"nobody-is-called-after-an-acknowledgement"}


def test_who_is_told_that_it_lasts_is_not_called_after_the_answer(portal: Portal) -> None:
    incident = portal.open_incident()
    alice = portal.people["alice"]
    lifecycle.assign(incident.pk, to=portal.people["bob"], now=portal.now, actor=alice)
    lifecycle.acknowledge(incident.pk, now=portal.now, actor=alice, person=alice)
    portal.fast_forward(hours=5)
    lifecycle.assign(incident.pk, to=alice, now=portal.now, actor=None)
    portal.settle()
    assert len(portal.paged()) > 3
    assert broken(portal) == set()


@pytest.mark.parametrize("state", ["waiting", "sending"])
def test_a_page_that_does_not_go_out_is_found(portal: Portal, state: str) -> None:
    portal.open_incident()
    Page.objects.update(state=state, look_at=portal.now + timedelta(days=365))
    portal.now += timedelta(minutes=11)
    assert "due-pages-are-out" in broken(portal)


def test_a_ladder_that_begins_later_breaks_no_promise(portal: Portal) -> None:
    Timing.objects.create(
        policy=portal.policy, severity="P2", phase="unacknowledged", level=1,
        after=timedelta(minutes=30), urgency="high",
    )  # fmt: skip
    portal.open_incident(severity="P2")
    portal.fast_forward(minutes=10)
    assert broken(portal) == set()
    portal.now += timedelta(minutes=30)
    assert broken(portal) == {"open-incidents-are-called"}


def test_what_is_merged_before_its_first_call_needs_none(portal: Portal) -> None:
    first, second = (
        lifecycle.declare(
            Opening("P1", title, service_id=portal.service.pk), now=portal.now, actor="test"
        )
        for title in ("one", "two")
    )
    merge(first.pk, into=second.pk, now=portal.now, actor="test")
    portal.fast_forward(minutes=10)
    assert Incident.objects.get(pk=first.pk).status == "merged"
    assert broken(portal) == set()


def again(page: Page, *, after: str) -> None:
    """Add a page of another step that was sent by its second attempt, the first of which ended so."""
    page.pk, page.key, page.step, page.attempts = None, "e" * 64, 2, 2
    page.save()
    at = page.sent_at or page.created_at
    for number, outcome in enumerate((after, "sent"), start=1):
        Attempt.objects.create(
            page=page, number=number, owner="x", started_at=at, ended_at=at, outcome=outcome
        )


@pytest.mark.parametrize("after", ["failed", "uncertain"])
def test_what_is_sent_at_most_once_is_not_repeated_in_doubt(portal: Portal, after: str) -> None:
    portal.open_incident(severity="P2")
    again(Page.objects.get(), after=after)
    assert broken(portal) == ({"p2-and-p3-are-sent-once"} if after == "uncertain" else set())


def test_a_repeat_that_does_not_say_so_is_found(portal: Portal) -> None:
    portal.open_incident()
    again(Page.objects.get(), after="uncertain")
    assert broken(portal) == {"repeats-say-so"}
    Page.objects.update(is_repeat=True)
    assert broken(portal) == set()
