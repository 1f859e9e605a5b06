"""What a pager leaves behind that dies, stalls or fails: nobody is forgotten, nobody called twice."""

import contextlib
from datetime import datetime, timedelta
from typing import Any

import pytest

from incidents.models import Attempt, EscalationRun, Page
from incidents.services import due, firing, lifecycle, sending, undelivered
from incidents.services.claims import LATE, LEASE, SWEEP_EVERY_S
from incidents.services.firing import Claimed
from incidents.tests.oncall_portal import Portal, forged_attempts, portal
from oncall.models import FallbackContact

__all__ = ["portal"]

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_crash_while_sending_repeats_for_p0_and_says_so(portal: Portal) -> None:
    """The lease runs out: the same key again, marked; the first attempt is uncertain."""
    incident = portal.open_incident(severity="P0")
    (page,) = portal.pages()
    Page.objects.filter(pk=page.pk).update(state="sending", owner="dead", look_at=portal.now)
    with forged_attempts():
        page.tries.update(outcome="", ended_at=None, owner="dead")
    portal.settle()
    first, second = portal.post.sent
    assert first.message.key == second.message.key == page.key
    assert second.message.heading.startswith("[Repeat, first send uncertain] P0 #")
    assert [(t.outcome, t.owner) for t in page.tries.all()] == [
        ("uncertain", "dead"), ("sent", "pager-1"),
    ]  # fmt: skip
    assert incident.pages.count() == 1


def test_a_crash_while_sending_does_not_repeat_for_p2(portal: Portal) -> None:
    portal.open_incident(severity="P2")
    (page,) = portal.pages()
    Page.objects.filter(pk=page.pk).update(state="sending", owner="dead", look_at=portal.now)
    portal.settle()
    page.refresh_from_db()
    assert page.state == "uncertain"
    assert len(portal.post.sent) == 1


def test_steps_missed_by_an_outage_come_one_after_the_other(portal: Portal) -> None:
    """Away for an hour: the overdue step fires once, the next one waits its time from then."""
    portal.open_incident(severity="P0")
    portal.now += timedelta(minutes=60)
    portal.settle()
    assert portal.paged() == [(0, "alice"), (60, "bob")]
    portal.fast_forward(minutes=10)
    assert portal.paged()[-1] == (70, "carol")


def test_a_claim_that_was_lost_is_taken_by_the_next(portal: Portal) -> None:
    """A pager claims a step and dies: another one fires it when the claim runs out, once."""
    incident = lifecycle.declare(
        lifecycle.Opening("P0", "5xx spike", service_id=portal.service.pk),
        now=portal.now,
        actor="test",
    )
    _claimed(portal)
    portal.settle()
    assert portal.paged() == []
    portal.now += LEASE
    portal.settle()
    assert [name for _, name in portal.paged()] == ["alice"]
    assert incident.pages.count() == 1


def test_a_claim_that_runs_out_beneath_a_pager_that_lives_fires_nothing(portal: Portal) -> None:
    """One statement may take longer than a claim lasts: whoever claimed the step since fires it, once."""
    incident = portal.open_incident()
    portal.now += timedelta(minutes=5)
    slow = _claimed(portal)
    portal.now += LEASE
    other = _claimed(portal)
    assert [each.claims for each in (*slow, *other)] == [1, 2]
    firing.fire(slow, now=portal.now)
    assert {page.level for page in incident.pages.all()} == {1}
    firing.fire(other, now=portal.now)
    assert [page.level for page in incident.pages.order_by("pk")] == [1, 2]
    assert incident.runs.get().claims == 0


def _claimed(portal: Portal) -> list[Claimed]:
    """Claim every step that is due, as a pager does."""
    queue = firing.queue()
    rows = queue.claim(now=portal.now, limit=10)
    return [Claimed.of(row, portal.now + LEASE) for row in rows]


def test_what_becomes_visible_late_waits_for_the_next_full_look(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks begin where the last one found nothing left; what was committed behind it is found yet."""
    passed = [0.0]
    monkeypatch.setattr("incidents.services.claims.monotonic", lambda: passed[0])
    queue = firing.queue()
    assert queue.claim(now=portal.now, limit=10) == []
    portal.open_incident(severity="P0")
    run = EscalationRun.objects.get()

    def is_found(*, ago: timedelta, later: timedelta) -> bool:
        """Say whether a run whose time came so long ago is found so long after the full look."""
        now = portal.now + later
        EscalationRun.objects.filter(pk=run.pk).update(look_at=now - ago)
        passed[0] = later.total_seconds()
        return bool(queue.claim(now=now, limit=10))

    assert is_found(ago=LATE / 2, later=timedelta(seconds=SWEEP_EVERY_S * 0.4))
    assert not is_found(ago=LATE * 2.5, later=timedelta(seconds=SWEEP_EVERY_S * 0.6))
    assert is_found(ago=LATE * 2.5, later=timedelta(seconds=SWEEP_EVERY_S + 1))


def test_firing_twice_makes_a_page_once(portal: Portal) -> None:
    """Two pagers that both hold the row as it was claimed: one page."""
    lifecycle.declare(
        lifecycle.Opening("P0", "5xx spike", service_id=portal.service.pk),
        now=portal.now,
        actor="test",
    )
    claims = _claimed(portal)
    firing.fire(claims, now=portal.now)
    firing.fire(claims, now=portal.now)
    assert Page.objects.count() == 1


def test_a_poison_row_holds_up_nobody_and_is_set_aside(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One incident cannot be escalated: others are, and at the fifth failure somebody is called."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    bad = portal.open_incident("poison", severity="P3")
    real = firing.fire

    def fire(claims: list[Claimed], **kwargs: Any) -> list[Claimed]:
        if bad.pk in {claim.incident for claim in claims}:
            raise RuntimeError("poison")
        return real(claims, **kwargs)

    monkeypatch.setattr(firing, "fire", fire)
    lifecycle.escalate(bad.pk, now=portal.now, actor="test")
    portal.open_incident("good", severity="P0")
    assert [name for _, name in portal.paged()] == ["alice", "alice"]
    portal.fast_forward(minutes=6)
    bad.refresh_from_db()
    assert bad.unreached == "The escalation failed 5 times and was set aside."
    assert "eve" in {name for _, name in portal.paged()}
    assert bad.runs.get().state == "quarantined"


class _Killed(BaseException):
    """What ends a process; nothing catches it."""


def test_pagers_that_die_set_nobody_aside(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """One dies with thirty steps in its hands, those after it after three each: all are called."""
    FallbackContact.objects.create(person=portal.add_person("eve"))
    for number in range(30):
        opening = lifecycle.Opening("P0", f"Incident {number}", service_id=portal.service.pk)
        lifecycle.declare(opening, now=portal.now, actor="test")
    real, left = firing.fire, [0]

    def fire(claims: list[Claimed], **kwargs: Any) -> list[Claimed]:
        left[0] -= 1
        if left[0] < 0:
            raise _Killed
        return real(claims, **kwargs)

    monkeypatch.setattr(firing, "fire", fire)
    for number in range(20):
        queues, left[0] = due.Queues(), 3 if number else 0
        with contextlib.suppress(_Killed):
            while queues.fire_steps(now=portal.now):
                pass
        portal.now += LEASE + timedelta(seconds=1)
    assert set(EscalationRun.objects.values_list("state", "position")) == {("running", 1)}
    assert Page.objects.filter(step=1).count() == 30


def test_a_message_that_ends_its_pager_each_time_is_given_up(portal: Portal) -> None:
    """The fifth time: it takes no pager along for ever, and the next level is called at once."""
    portal.open_incident(severity="P0")
    (page,) = portal.pages()
    _tried(page, ["uncertain"] * 4, now=portal.now)
    portal.settle()
    page.refresh_from_db()
    portal.settle()
    assert (page.state, page.attempts) == ("uncertain", 5)
    assert page.problem == "Its sender died 5 times."
    assert portal.paged() == [(0, "alice"), (0, "bob")]


def test_what_was_refused_before_its_sender_died_is_repeated(portal: Portal) -> None:
    """Four times the provider said no: one crash is no sign of what ends pagers."""
    portal.open_incident(severity="P0")
    (page,) = portal.pages()
    _tried(page, ["failed"] * 4, now=portal.now)
    portal.fast_forward(seconds=61)
    page.refresh_from_db()
    assert (page.state, page.attempts, page.is_repeat) == ("sent", 6, True)


def _tried(page: Page, outcomes: list[str], *, now: datetime) -> None:
    """Have a page been tried with these outcomes, and once more by a pager that died in it."""
    with forged_attempts():
        Attempt.objects.all().delete()
    Attempt.objects.bulk_create(
        Attempt(
            page=page,
            number=number,
            owner="dead",
            started_at=now,
            ended_at=now if outcome else None,
            outcome=outcome,
        )
        for number, outcome in enumerate([*outcomes, ""], 1)
    )
    Page.objects.filter(pk=page.pk).update(
        state="sending", owner="dead", look_at=now, attempts=len(outcomes) + 1
    )


def test_what_is_claimed_is_sent_before_anything_else_is_done(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fallback contacts may take longer than the claim lasts; what ends a sender ends no next level."""
    lost = portal.open_incident(severity="P1")
    (page,) = portal.pages()
    Page.objects.filter(pk=page.pk).update(state="waiting", look_at=portal.now)
    portal.people["alice"].contact_methods.update(is_enabled=False)
    incident = lifecycle.declare(lifecycle.Opening("P0", "2"), now=portal.now, actor="test")
    bob = portal.people["bob"]
    lifecycle.assign(incident.pk, to=bob, now=portal.now, actor="test")
    order: list[str] = []
    follow = undelivered.next_level_at_once

    def followed(*args: Any, **values: Any) -> None:
        order.append("next level")
        follow(*args, **values)

    monkeypatch.setattr(undelivered, "next_level_at_once", followed)
    monkeypatch.setattr(undelivered, "fall_back", lambda *_, **__: order.append("fallback"))
    claimed = sending.claim(
        owner="pager-1", now=portal.now, limit=10, hand_over=lambda _: order.append("handed over")
    )
    assert order == ["next level", *["handed over"] * len(claimed), "fallback"]
    assert [bundle.first.target for bundle in claimed] == ["user:bob"]
    assert lost.pages.get().state == "failed"
