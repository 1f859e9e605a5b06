"""One body that says the same again and again: what comes of it is what would of one after the other."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core import clock
from incidents.domain.events import Act, AlertEvent, Reading
from incidents.domain.turns import MOST_TURNS, bounded
from incidents.models import Alert, AlertLogEntry, InboundEvent, Incident
from incidents.services import receiving
from incidents.services.inbound import RawRequest, Request, Taken
from incidents.services.intake import MOST_LOGGED
from incidents.tests.senders import integration_of, post
from incidents.tests.test_intake_together import ends, fires, request_of, together

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_two_thousand_times_the_same_takes_no_second() -> None:
    """It is counted each time; the log has the first hundred repeats and how many more there were."""
    _integration, key = integration_of("generic")
    began = time.process_time()
    answer = post(f"/integrations/v1/generic/{key}/", [{"title": "Full", "id": "disk"}] * 2000)
    assert time.process_time() - began < 1
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2000)
    alert = Alert.objects.get()
    assert alert.count == 2000
    assert Incident.objects.count() == 1
    assert alert.log.filter(kind="opened").count() == 1
    assert alert.log.filter(kind="repeated").count() == MOST_LOGGED + 1
    newest = alert.log.order_by("pk").last()
    assert newest is not None
    assert newest.text == f"Reported {1999 - MOST_LOGGED} times more in the same moment."


def test_statements_do_not_grow_with_the_repeats() -> None:
    _integration, key = integration_of("alertmanager")
    counts = []
    for size in (3, 30, 300):
        alert = {"labels": {"alertname": f"A{size}", "severity": "critical"}}
        with connection.execute_wrapper(counter := _Counter()):
            post(f"/integrations/v1/alertmanager/{key}/", {"alerts": [alert] * size})
        counts.append(counter.count)
    assert counts[1] == counts[2] <= counts[0] + 1
    assert set(Alert.objects.values_list("count", flat=True)) == {3, 30, 300}


class _Counter:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, execute: Any, *args: Any) -> Any:
        self.count += 1
        return execute(*args)


def test_what_comes_and_goes_without_end_ends_up_as_the_sender_says() -> None:
    """Twenty turns of it are done, then only the last; the request says so in the inbox."""
    _integration, key = integration_of("generic")
    states = ["firing", "ok"] * 500
    body = [{"title": "Link", "id": "link", "state": state} for state in states]
    answer = post(f"/integrations/v1/generic/{key}/", body)
    assert answer.status_code == 200
    assert Alert.objects.filter(state="firing").count() == 0
    assert Alert.objects.count() == MOST_TURNS / 2
    event = InboundEvent.objects.get()
    assert event.state == "partly"
    assert event.problem == (
        "link: begins and ends more than 20 times; of the rest only the last counts"
    )


def test_turns_of_each_alert_count_for_itself() -> None:
    reading = Reading(
        tuple(each(key) for key in "abc" for _ in range(MOST_TURNS // 2) for each in (fires, ends))
    )
    assert bounded(reading) == reading


SAID = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.booleans(),
        st.sampled_from(["P1", "P2", "P3"]),
        st.sampled_from([None, 1, 2, 3, 4]),
        st.booleans(),
    ),
    max_size=9,
)


FIRES, ENDS = ("a", True, "P1", None, False), ("a", False, "P1", None, False)
FIRES_EARLIER, ENDED_LATER = ("a", True, "P1", 1, False), ("a", False, "P1", 2, False)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(said=SAID, before=SAID)
@example(  # What is over is over also where the same body says more of it, without a time.
    said=[FIRES_EARLIER, ENDS, FIRES], before=[FIRES, ENDED_LATER]
)
def test_a_body_does_what_its_elements_would_one_after_the_other(said: Any, before: Any) -> None:
    """Counts, severities, words, order of openings and ends, the log, and the sender's clock."""
    now = clock.now()
    outcomes = []
    for is_at_once in (True, False):
        integration, _key = integration_of("generic")
        for each in _in_words(before, now):
            together(request_of(integration, each))
        events = sorted(_in_words(said, now), key=lambda each: each.dedup_key)
        bodies = [events] if is_at_once else [[each] for each in events]
        applied = sum(
            taken.applied for body in bodies for taken in together(request_of(integration, *body))
        )
        outcomes.append((applied, _state_of(integration)))
    assert outcomes[0] == outcomes[1]


def _in_words(said: Any, now: datetime) -> list[AlertEvent]:
    return [
        AlertEvent(
            Act.TRIGGER if is_firing else Act.RESOLVE,
            key,
            f"{key} {number} fires",
            severity,
            at=now + timedelta(minutes=minute) if minute else None,
            is_ordered=minute is not None,
            fired_before=not is_firing and heard,
            pages=heard,
        )
        for number, (key, is_firing, severity, minute, heard) in enumerate(said)
    ]


def _state_of(integration: Any) -> Any:
    alerts = Alert.objects.filter(integration=integration).order_by("dedup_key", "pk")
    return [
        (
            *(alert.dedup_key, alert.state, alert.count, alert.severity, alert.title, alert.pages),
            alert.sender_at,
            alert.incident and (alert.incident.severity, alert.incident.status),
            list(alert.log.order_by("pk").values_list("kind", "text")),
        )
        for alert in alerts
    ]


def test_one_that_cannot_be_stored_among_thousands_costs_only_itself() -> None:
    """It is found by halves, not by trying each."""
    integration, _key = integration_of("generic")
    events = [fires(f"k{number:04}", "group") for number in range(300)]
    events[77] = fires("k0077", facts={"value": object()})
    raw, reading = RawRequest("/x", b"{}"), Reading(tuple(events))
    with connection.execute_wrapper(counter := _Counter()):
        (taken,) = receiving._take_all([Request(integration, raw, reading, None, clock.now())])
    assert isinstance(taken, Taken)
    assert taken.applied == 299
    assert taken.remarks == ("k0077: could not be stored (TypeError)",)
    assert counter.count < 300
    assert AlertLogEntry.objects.count() == 299
