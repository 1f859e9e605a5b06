"""Faults of an ECS service, over boto3 and HTTP, against an ECS that speaks its protocol."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos import recovery
from chaos.chaos_engineering import ChaosOrchestrator, create_chaos_experiments
from chaos.domain.states import EntryState
from chaos.ledger import Ledger
from chaos.processes import marked
from chaos.tests.fake_ecs import FakeEcs, ecs
from chaos.tests.target import Target, eventually, serving


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcs]:
    """Three tasks of the service web, and credentials that mean nothing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with ecs(desired=3) as made:
        yield made


@pytest.fixture
def target() -> Iterator[Target]:
    """The service, as callers see it."""
    with serving() as made:
        yield made


def orchestrator(
    cluster: FakeEcs, target: Target, state: Path, **options: Any
) -> ChaosOrchestrator:
    """Return an orchestrator of short experiments on the service."""
    short: dict[str, Any] = {"duration_s": 0.5, "settle_s": 1, "region": "eu-west-1"}
    return create_chaos_experiments(
        target_url=target.url,
        cluster_name="shop",
        service_name="web",
        state_dir=state,
        endpoint_url=cluster.url,
        **(short | options),
    )


def test_fewer_tasks_and_back(cluster: FakeEcs, target: Target, tmp_path: Path) -> None:
    """Two of three run during the fault, three are wanted again afterwards; said to be simulated."""
    found = orchestrator(cluster, target, tmp_path).run_experiment("scaling")
    assert (found["verdict"], found["simulated"]) == ("passed", True)
    assert (found["evidence"]["running"], found["evidence"]["desired_before"]) == (2, 3)
    assert (cluster.desired, len(cluster.running)) == (3, 3)


def test_a_killed_runner_leaves_no_task_missing(
    cluster: FakeEcs, target: Target, tmp_path: Path
) -> None:
    """SIGKILL while scaled in: whoever waits puts the number back."""
    made = orchestrator(cluster, target, tmp_path, duration_s=30)
    thread = threading.Thread(target=made.run_experiment, args=("scaling",))
    thread.start()
    eventually(lambda: cluster.desired == 2)
    [run] = Ledger(tmp_path).open_runs()
    os.kill(marked(f"--run={run['run_id']}")[0], signal.SIGKILL)
    thread.join(10)
    assert cluster.desired == 3
    assert [entry.state for entry in Ledger(tmp_path).entries()] == [EntryState.UNDONE]


def test_what_somebody_else_set_is_left_alone(
    cluster: FakeEcs, target: Target, tmp_path: Path
) -> None:
    """An autoscaler that went to five meanwhile is not overruled with a number of before."""
    made = orchestrator(cluster, target, tmp_path, duration_s=1)
    found: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: found.append(made.run_experiment("scaling")))
    thread.start()
    eventually(lambda: cluster.desired == 2)
    cluster.desired = 5
    thread.join(20)
    assert cluster.desired == 5
    assert "left alone" in found[0]["rollbacks"][0]["note"]


def test_a_stopped_task_is_replaced(cluster: FakeEcs, target: Target, tmp_path: Path) -> None:
    """The task is stopped in the run's name, and three run again."""
    found = orchestrator(cluster, target, tmp_path).run_experiment("instance_termination")
    assert found["verdict"] == "passed"
    assert cluster.tasks[found["evidence"]["task"]] == f"chaos run {found['id']}"
    assert len(cluster.running) == 3


def test_a_task_that_does_not_come_back_is_critical(
    cluster: FakeEcs, target: Target, tmp_path: Path
) -> None:
    """No replacement: failed, nothing else may begin until it is there."""
    cluster.replaces = False
    made = orchestrator(cluster, target, tmp_path)
    found = made.run_experiment("instance_termination")
    assert (found["verdict"], found["critical"]) == ("failed", True)
    assert "of 3 tasks 2 run" in found["rollbacks"][0]["note"]
    assert made.run_experiment("network_latency")["status"] == "refused"
    cluster.replaces = True
    assert [entry.state for entry in recovery.recover(tmp_path)][-1] == EntryState.UNDONE
    assert made.run_experiment("network_latency")["verdict"] == "passed"


@pytest.mark.parametrize("name", ["scaling", "instance_termination"])
def test_the_last_task_is_not_taken(
    cluster: FakeEcs, target: Target, tmp_path: Path, name: str
) -> None:
    """A service of one task would be down, which is no experiment."""
    cluster.desired = 1
    cluster.answer("ListTasks", {})
    found = orchestrator(cluster, target, tmp_path).run_experiment(name)
    assert (found["status"], len(cluster.running)) == ("refused", 1)
    assert "would leave none" in found["reason"]


def test_a_denied_action_is_named(cluster: FakeEcs, target: Target, tmp_path: Path) -> None:
    """Without permission to read, the run is refused; without one to write, it fails unharmed."""
    cluster.denied = {"DescribeServices"}
    made = orchestrator(cluster, target, tmp_path)
    assert "ecs:DescribeServices was denied" in made.run_experiment("scaling")["reason"]
    cluster.denied = {"UpdateService"}
    found = made.run_experiment("scaling")
    assert "ecs:UpdateService was denied" in found["reason"]
    assert (found["status"], found["verdict"], cluster.desired) == ("failed", "failed", 3)


def test_without_names_ecs_is_not_asked(target: Target, tmp_path: Path) -> None:
    """No cluster and no service: refused with what to give."""
    made = create_chaos_experiments(target_url=target.url, state_dir=tmp_path)
    assert "cluster_name" in made.run_experiment("scaling")["reason"]
