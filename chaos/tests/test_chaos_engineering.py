"""The operations guide's calls, against a real server and real faults."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.chaos_engineering import ChaosOrchestrator, Tolerance, create_chaos_experiments
from chaos.domain.catalogue import CATALOGUE
from chaos.injectors.registry import INJECTORS
from chaos.ledger import Ledger
from chaos.tests.target import Target, serving

SHORT: dict[str, Any] = {"duration_s": 0.7, "settle_s": 2}


@pytest.fixture
def target() -> Iterator[Target]:
    """A server to hurt."""
    with serving() as made:
        yield made


def orchestrator(target: Target, state: Path, **options: Any) -> ChaosOrchestrator:
    """Return an orchestrator of short experiments."""
    return create_chaos_experiments(target_url=target.url, state_dir=state, **(SHORT | options))


def test_every_experiment_has_its_injector() -> None:
    """What the catalogue offers can be made and undone, and nothing else."""
    assert [experiment.name for experiment in CATALOGUE] == list(INJECTORS)


def test_the_guides_lines_run(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snippet as printed: four names, one experiment, and the ledger below XDG_STATE_HOME."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    made = create_chaos_experiments(
        target_url=target.url,
        cluster_name="flask-sre-challenge-cluster",
        service_name="flask-sre-challenge-service",
        db_instance_id="flask-sre-challenge-db",
        duration_s=0.5,
    )
    result = made.run_experiment("network_latency")
    assert (result["status"], result["verdict"], result["deviated"]) == (
        *("completed", "passed"),
        False,
    )
    assert (tmp_path / "sreportal-chaos" / "ledger.sqlite3").stat().st_mode & 0o077 == 0
    assert json.loads(json.dumps(result)) == result


def test_latency_is_measured_not_believed(target: Target, tmp_path: Path) -> None:
    """300 ms are asked for, and at least as many, less jitter, are seen by the probes."""
    found = orchestrator(target, tmp_path).run_experiment(
        "network_latency", latency_ms=300, jitter_ms=20
    )
    assert 250 < found["evidence"]["added_latency_ms"] < 600
    during, after = found["steady_states"]["during"], found["steady_states"]["after"]
    assert during["median_ms"] > 250 > after["median_ms"]
    assert [row["status"] for row in found["run"] + found["rollbacks"]] == ["succeeded"] * 2


def test_too_late_is_a_deviation(target: Target, tmp_path: Path) -> None:
    """Answers later than tolerated deviate, and are back in time afterwards: not critical."""
    patient = Tolerance(max_ms=150, critical_share=0)
    found = orchestrator(target, tmp_path, tolerance=patient).run_experiment("network_latency")
    assert (found["verdict"], found["deviated"], found["critical"]) == ("deviated", True, False)
    assert found["steady_states"]["after"]["met"] is True


def test_worse_than_critical_ends_the_fault_early(target: Target, tmp_path: Path) -> None:
    """When everything is bad, nobody waits for the thirty seconds to pass."""
    strict = orchestrator(target, tmp_path, duration_s=30, tolerance=Tolerance(max_ms=50))
    found = strict.run_experiment("network_latency")
    assert (found["status"], found["critical"]) == ("aborted", True)
    assert "critical share" in found["reason"]
    assert found["duration"] < 15


def test_resets_reach_the_callers(target: Target, tmp_path: Path) -> None:
    """A third of the connections is torn; callers who try again do not notice."""
    found = orchestrator(target, tmp_path).run_experiment("connection_reset", share=0.3)
    assert found["evidence"]["resets"] > 0
    assert (found["verdict"], found["steady_states"]["during"]["met"]) == ("passed", True)


def test_processors_are_really_busy(target: Target, tmp_path: Path) -> None:
    """The kernel's own account of the spinning processes is the evidence."""
    found = orchestrator(target, tmp_path).run_experiment("cpu_exhaustion", workers=1)
    assert found["evidence"]["observed"] is True
    assert 0.1 <= found["evidence"]["cpu_seconds"] < 60


def test_memory_is_really_taken(target: Target, tmp_path: Path) -> None:
    """Of 32 MB at least half is resident at the end of the ramp."""
    found = orchestrator(target, tmp_path).run_experiment("memory_leak", megabytes=32)
    assert found["evidence"]["resident_megabytes"] > 16
    assert found["verdict"] == "passed"


def test_an_unsteady_target_is_not_hurt(target: Target, tmp_path: Path) -> None:
    """Who is down already learns nothing from a fault: none is made, and nothing follows."""
    target.status = 503
    made = orchestrator(target, tmp_path, settle_s=0.5)
    found = made.run_all_experiments()
    assert [row["status"] for row in found] == ["aborted"]
    assert (found[0]["critical"], found[0]["run"], found[0]["rollbacks"]) == (True, [], [])
    assert made.get_experiment_summary()["verdicts"] == {"inconclusive": 1}


def test_all_run_from_the_least_harmful(target: Target, tmp_path: Path) -> None:
    """Each in its turn, and the summary counts them."""
    made = orchestrator(target, tmp_path, duration_s=0.5)
    found = made.run_all_experiments()
    names = [row["experiment"]["title"] for row in found]
    assert names == list(INJECTORS)
    assert [row["status"] for row in found] == ["completed"] * 4 + ["refused"] * 3
    summary = made.get_experiment_summary()
    assert summary["total"] == sum(summary["verdicts"].values()) == 7
    assert [row["experiment"] for row in summary["experiments"]] == names


def test_without_a_target_network_faults_are_refused(tmp_path: Path) -> None:
    """A refusal says what is missing, is recorded, and touches nothing."""
    found = create_chaos_experiments(state_dir=tmp_path).run_experiment("network_latency")
    assert (found["status"], found["verdict"]) == ("refused", "refused")
    assert "target_url" in found["reason"]
    assert Ledger(tmp_path).run(found["id"])["state"] == "refused"
    assert Ledger(tmp_path).entries() == []


def test_other_machines_processors_are_out_of_reach(tmp_path: Path) -> None:
    """Using up this machine says nothing about a target elsewhere."""
    made = create_chaos_experiments(target_url="http://192.0.2.1/", state_dir=tmp_path)
    for name in ("cpu_exhaustion", "memory_leak"):
        assert "not on this machine" in made.run_experiment(name)["reason"]


def test_the_portals_own_stores_are_no_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the portal keeps its state in is refused as a target."""
    monkeypatch.setenv("DATABASE_URL", "postgres://u:secret@db.internal:5432/portal")
    found = create_chaos_experiments(
        target_url="http://db.internal:5432/", state_dir=tmp_path
    ).run_experiment("network_latency")
    assert "own database" in found["reason"]
    assert "secret" not in json.dumps(found)


def test_a_fault_that_stays_stops_everything(target: Target, tmp_path: Path) -> None:
    """While something is not undone, no other experiment may begin."""
    ledger = Ledger(tmp_path)
    run_id = ledger.create_run({}, lasts_s=0)
    ledger.arm(run_id, "unheard_of", params={}, snapshot={}, ttl_s=0)
    found = orchestrator(target, tmp_path).run_experiment("network_latency")
    assert found["status"] == "refused"
    assert f"unheard_of of run {run_id} is not undone" in found["reason"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"target_url": "ftp://x/"}, "target_url"),
        ({"target_url": "http://u:p@x/"}, "target_url"),
        ({"duration_s": 0}, "duration_s"),
        ({"grace_s": 1e9}, "grace_s"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, arguments: dict[str, Any], named: str) -> None:
    """What cannot be is refused before anything is made."""
    with pytest.raises(ValueError, match=named):
        create_chaos_experiments(state_dir=tmp_path, **arguments)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("earthquake", {}, "network_latency"),
        ("network_latency", {"colour": 1}, "colour"),
        ("network_latency", {"latency_ms": -1}, "latency_ms"),
        ("network_latency", {"latency_ms": True}, "latency_ms"),
    ],
)
def test_bad_experiments_are_named(
    tmp_path: Path, name: str, parameters: dict[str, float], said: str
) -> None:
    """An unknown experiment or parameter is named, and no run is written down."""
    with pytest.raises(ValueError, match=said):
        create_chaos_experiments(state_dir=tmp_path).run_experiment(name, **parameters)
    assert Ledger(tmp_path).open_runs() == []
