"""What a run showed, what may follow what, and what may be aimed at."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.domain.journal import decide
from chaos.domain.states import UNFINISHED, EntryState, RunState, Verdict, next_entry_state
from chaos.domain.steady_state import Sample, Tolerance, is_critical, judge
from chaos.domain.target import belongs_to_the_portal, is_loopback, parse_target

MET = {"before": {"met": True}, "during": {"met": True}, "after": {"met": True}}
SEEN = {"observed": True}


def shown(
    state: RunState = RunState.COMPLETED,
    *,
    states: dict[str, Any] | None = None,
    evidence: dict[str, Any] | None = SEEN,
    undone: bool = True,
) -> Verdict:
    """Return the verdict of a run that went well but for what is given."""
    steady = {**MET, **(states or {})}
    return decide(state, steady_states=steady, evidence=evidence, undone=undone)[0]


def test_only_a_seen_fault_and_a_steady_target_pass() -> None:
    """Everything well is passed; anything missing is something else."""
    assert shown() is Verdict.PASSED
    assert shown(evidence=None) is Verdict.INCONCLUSIVE
    assert shown(evidence={"observed": False}) is Verdict.INCONCLUSIVE
    assert shown(states={"during": None, "after": None}) is Verdict.INCONCLUSIVE
    assert shown(states={"during": {"met": None}}) is Verdict.INCONCLUSIVE
    assert shown(RunState.ABORTED) is Verdict.INCONCLUSIVE
    assert shown(states={"during": {"met": False}}) is Verdict.DEVIATED
    assert shown(states={"after": {"met": False}}) is Verdict.DEVIATED
    assert shown(RunState.REFUSED) is Verdict.REFUSED


@given(
    st.sampled_from([state for state in RunState if state != RunState.REFUSED]),
    st.sampled_from([None, SEEN, {"observed": False}]),
    st.booleans(),
)
def test_what_is_not_undone_never_passes(
    state: RunState, evidence: dict[str, Any] | None, met: bool
) -> None:
    """A fault that is still there is a failure, whatever else was seen."""
    found = shown(state, states={"during": {"met": met}}, evidence=evidence, undone=False)
    assert found is Verdict.FAILED


def test_undone_is_final() -> None:
    """From every state an entry can become undone, and from there nothing else."""
    for state in EntryState:
        assert next_entry_state(state, EntryState.UNDONE) is EntryState.UNDONE
    for state in UNFINISHED:
        with pytest.raises(ValueError, match="cannot become"):
            next_entry_state(EntryState.UNDONE, state)


def samples(good: int, bad: int) -> list[Sample]:
    """Return so many good and bad answers."""
    return [Sample(0, 10, 200)] * good + [Sample(0, 10, 503)] * bad


def test_steady_is_a_share_of_good_answers() -> None:
    """Nine of ten are steady at 90 %, eight are not, and nobody asked is not known."""
    assert judge(samples(9, 1), Tolerance())["met"] is True
    assert judge(samples(8, 2), Tolerance())["met"] is False
    assert judge([], Tolerance())["met"] is None


def test_late_and_lost_answers_are_bad_and_refusals_are_not() -> None:
    """No answer, a late one and a 5xx are bad; a 404 is an answer of a healthy target."""
    tolerance = Tolerance(max_ms=100)
    bad = [Sample(0, 10, None), Sample(0, 101, 200), Sample(0, 10, 500)]
    assert not any(map(tolerance.is_good, bad))
    assert tolerance.is_good(Sample(0, 100, 404))


def test_critical_needs_more_than_a_handful() -> None:
    """Four failures in a row end nothing; five do."""
    assert not is_critical(samples(0, 4), Tolerance())
    assert is_critical(samples(0, 5), Tolerance())
    assert not is_critical(samples(5, 5), Tolerance())


def test_an_address_is_taken_apart() -> None:
    """Port, path and query are kept, the usual port is filled in, IPv6 is bracketed again."""
    target = parse_target("https://[::1]/health?deep=1")
    assert (target.host, target.port, target.path) == ("::1", 443, "/health?deep=1")
    assert (target.authority, parse_target("http://x:81").authority) == ("[::1]", "x:81")


def test_a_name_is_this_machine_only_if_all_its_addresses_are() -> None:
    """One address elsewhere, or none at all, is elsewhere."""
    assert is_loopback(["127.0.0.1", "::1"])
    assert not is_loopback(["127.0.0.1", "192.0.2.1"])
    assert not is_loopback([])


@pytest.mark.parametrize(
    ("url", "instance", "is_ours"),
    [
        ("http://db.internal:5432/", "", True),
        ("http://db.internal:8000/", "", False),
        ("http://127.0.0.1:6379/", "", True),
        ("http://my-own-name:6379/", "", True),
        ("http://my-own-name:6380/", "", False),
        ("http://elsewhere/", "portal", True),
        ("http://elsewhere/", "port", False),
    ],
)
def test_the_portals_stores_are_recognised(url: str, instance: str, is_ours: bool) -> None:
    """By host and port, by the port alone where they are on this machine, and by the name of an RDS instance."""
    environment = {
        "DATABASE_URL": "postgres://db.internal/p",
        "REDIS_URL": "redis://localhost:6379/0",
    }
    if instance:
        environment["DATABASE_URL"] = "postgres://portal.x.eu-west-1.rds.amazonaws.com/p"
    assert bool(belongs_to_the_portal(parse_target(url), instance, environment)) is is_ours
