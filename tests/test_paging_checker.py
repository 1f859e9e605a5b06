"""The judge of paging drills: a clean history passes, and each promise broken alone is found."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.paging_checker import Evidence, Message, PageRow, Sent, judge

START = datetime(2026, 3, 2, 3, tzinfo=UTC)
ANSWERED = START + timedelta(seconds=3)
STEPS = (("user:l1",), ("user:l2",))
PAIR = (("user:l1", "user:l1b"), ("user:l2",))


def message(incident: int, step: int, at_s: float, **more: Any) -> Message:
    return replace(
        Message(
            key=f"key-{incident}-{step}",
            at=START + timedelta(seconds=at_s),
            incident=incident,
            cycle=1,
            step=step,
            target=STEPS[step - 1][0],
            reason="escalation",
            is_repeat=False,
            alerts=(f"alert-{incident}",),
        ),
        **more,
    )


def page(incident: int, step: int, **more: Any) -> PageRow:
    row = PageRow(
        f"key-{incident}-{step}", incident, 1, step, STEPS[step - 1][0], "webhook", "sent", 1, START
    )
    return replace(row, **more)


def history(**more: Any) -> Evidence:
    """Incident 1 climbs both steps; incident 2 is answered after the first one."""
    return replace(
        Evidence(
            sent=[Sent("alert-1", START), Sent("alert-2", START)],
            received=[message(1, 1, 1), message(2, 1, 1), message(1, 2, 6)],
            acknowledged=frozenset({2}),
            answers={2: {"user:l1": ANSWERED}},
            tried={2: {"user:l1"}},
            receipts=frozenset({"alert-1", "alert-2"}),
            incidents={1: None, 2: ANSWERED},
            pages=[page(1, 1), page(1, 2), page(2, 1)],
            attempts={"key-1-1": ["sent"], "key-1-2": ["sent"], "key-2-1": ["sent"]},
            steps=STEPS,
        ),
        **more,
    )


def pair(**more: Any) -> Evidence:
    """Two must answer. Of incident 1 one did, so L2 is called as well; incident 2 has both."""
    other = {"target": "user:l1b", "key": "key-1-1b"}
    others = {"target": "user:l1b", "key": "key-2-1b"}
    clean = history(
        received=[*history().received, message(1, 1, 1, **other), message(2, 1, 1, **others)],
        pages=[*history().pages, page(1, 1, **other), page(2, 1, **others)],
        attempts={**history().attempts, "key-1-1b": ["sent"], "key-2-1b": ["sent"]},
        answers={1: {"user:l1b": ANSWERED}, 2: {"user:l1": ANSWERED, "user:l1b": ANSWERED}},
        tried={1: {"user:l1b"}, 2: {"user:l1", "user:l1b"}},
        steps=PAIR,
        needed=2,
    )
    return replace(clean, **more)


def test_a_clean_history_holds() -> None:
    assert judge(history()).holds
    assert judge(pair()).holds


def test_a_marked_repeat_after_a_cut_send_holds() -> None:
    received = [*history().received, message(1, 1, 31, is_repeat=True)]
    attempts = {**history().attempts, "key-1-1": ["uncertain", "sent"]}
    assert judge(history(received=received, attempts=attempts)).holds


def test_one_answer_is_enough_before_the_first_level_was_called() -> None:
    """A pager that stood still leaves the first call to the auditor, who calls the fallback."""
    later = [
        replace(row, created_at=ANSWERED + timedelta(seconds=1)) if row.incident == 2 else row
        for row in pair().pages
    ]
    alone = {1: {"user:l1b"}, 2: {"user:fallback"}}
    rule = "as-many-answer-as-are-needed"
    assert not judge(pair(pages=later, tried=alone)).broken[rule]
    assert judge(pair(tried=alone)).broken[rule]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("alerts-are-stored", {"receipts": frozenset({"alert-1"})}),
        (
            "alerts-page-somebody",
            {"sent": [*history().sent, Sent("alert-3", START)],
             "receipts": frozenset({"alert-1", "alert-2", "alert-3"})},
        ),
        ("acknowledgements-are-kept", {"acknowledged": frozenset({1, 2})}),
        ("no-step-is-skipped", {"received": history().received[:2]}),
        (
            "no-step-is-skipped",
            {"pages": [page(1, 1), page(1, 2), page(2, 2)]},
        ),
        ("no-step-is-doubled", {"pages": [*history().pages, page(1, 1, key="other")]}),
        ("repeats-are-marked", {"received": [*history().received, message(1, 1, 31)]}),
        (
            "repeats-are-marked",
            {"received": [*history().received, message(1, 1, 31, is_repeat=True)],
             "attempts": {**history().attempts, "key-1-1": ["sent", "sent"]}},
        ),
        (
            "nobody-is-paged-after-an-acknowledgement",
            {"received": [*history().received, message(2, 2, 14)]},
        ),
        ("what-is-sent-arrived", {"pages": [*history().pages, page(2, 2)]}),
        (
            "what-arrived-is-known",
            {"received": [*history().received, message(1, 2, 7, key="stranger")]},
        ),
        ("every-attempt-ended", {"attempts": {**history().attempts, "key-1-1": [""]}}),
    ],
)  # fmt: skip
def test_each_broken_promise_is_found(rule: str, change: dict[str, Any]) -> None:
    verdict = judge(history(**change))
    assert verdict.broken[rule]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("as-many-answer-as-are-needed", {"incidents": {1: ANSWERED, 2: ANSWERED}}),
        (
            "as-many-answer-as-are-needed",
            {"incidents": {1: None, 2: None}, "acknowledged": frozenset()},
        ),
        (
            "nobody-who-answered-is-called-again",
            {"received": [*pair().received, message(1, 1, 14, target="user:l1b")]},
        ),
        # The one of the pair who has not answered is still to be called.
        (
            "no-step-is-skipped",
            {"received": [m for m in pair().received if m.key != "key-1-1"]},
        ),
        ("no-step-is-skipped", {"pages": [row for row in pair().pages if row.key != "key-1-2"],
                                "received": [m for m in pair().received if m.key != "key-1-2"]}),
    ],
)  # fmt: skip
def test_each_promise_about_several_is_judged(rule: str, change: dict[str, Any]) -> None:
    assert judge(pair(**change)).broken[rule]
