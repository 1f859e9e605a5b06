"""The rules of advice, from figures alone."""

from typing import Any

import pytest

from sre.capacity_advice import fargate_memory, recommend


def analysis(*, days: float = 1, **figures: Any) -> dict[str, Any]:
    """Return an analysis in which everything is measured and within its target."""
    whole = {"samples": 1440, "expected": 1440, "complete": True}
    end = 1 + int(days)
    made: dict[str, Any] = {
        "cluster": "shop",
        "service": "web",
        "window": {
            "start": "2026-05-01T00:00:00+00:00",
            "end": f"2026-05-{end:02d}T00:00:00+00:00",
            "period_s": 60,
        },
        "tasks": {"desired": 4, "running": 4, "pending": 0, "cpu_units": 512, "memory_mib": 1024},
        "cpu": {"average": 0.6, "maximum": 0.8, **whole},
        "memory": {"average": 0.6, "maximum": 0.7, **whole},
        "connections": {
            "average": 30,
            "maximum": 40,
            "limit": 100,
            "limit_source": "stated",
            "used": 0.4,
            **whole,
        },
        "p95_ms": {"median": 120.0, "worst": 180.0, "over_target": 0, **whole},
        "reasons": {},
    }
    for name, values in figures.items():
        made[name] = {**made[name], **values}
    return made


def only(figures: dict[str, Any]) -> dict[str, Any]:
    """Return the single recommendation on these figures."""
    (found,) = recommend(figures)
    return dict(found)


def test_within_all_targets_nothing_is_advised() -> None:
    """Silence means that everything was measured and is fine."""
    assert recommend(analysis()) == []


def test_cpu_above_its_target_wants_the_tasks_that_bring_it_back() -> None:
    """Four tasks at 90 % hold the work of 3.6; at 70 % that takes six."""
    found = only(analysis(cpu={"average": 0.9, "maximum": 1.0}))
    assert (found["action"], found["from"], found["to"]) == ("scale_out", 4, 6)
    assert "90%" in found["reason"]
    assert found["evidence"]["samples"] == 1440
    assert (found["confidence"], found["risk"]) == ("medium", "low")


def test_a_downsize_needs_two_weeks() -> None:
    """A quiet day is no reason to shrink; a quiet fortnight is, by half at most."""
    idle = {"average": 0.1, "maximum": 0.2}
    assert only(analysis(cpu=idle))["action"] == "abstain"
    found = only(analysis(days=14, cpu=idle, tasks={"running": 10}))
    assert (found["action"], found["from"], found["to"]) == ("scale_in", 10, 5)


def test_peaks_forbid_a_downsize() -> None:
    """A low average with peaks above the target is left alone."""
    assert recommend(analysis(days=14, cpu={"average": 0.1, "maximum": 0.95})) == []


def test_memory_above_its_target_wants_larger_tasks() -> None:
    """Tasks need memory each: 1 GiB used to 95 % becomes the next size on offer."""
    found = only(analysis(memory={"average": 0.9, "maximum": 0.95}))
    assert (found["action"], found["from"], found["to"]) == ("raise_memory", 1024, 2048)


def test_connections_near_the_limit() -> None:
    """90 of 100 leaves less than a fifth free."""
    found = only(analysis(connections={"maximum": 90, "used": 0.9}))
    assert (found["action"], found["from"], found["to"]) == ("raise_connections", 100, 113)


def test_slow_answers_without_load_are_not_scaled_away() -> None:
    """More tasks do not help a slow query."""
    found = only(analysis(p95_ms={"median": 350.0, "over_target": 1300}))
    assert (found["action"], found["from"], found["to"]) == ("reduce_latency", 350.0, 200.0)
    assert "CPU does not explain it" in found["reason"]


def test_slow_answers_under_load_point_at_the_load() -> None:
    """With CPU above its target both are said, and that one may cure the other."""
    slow = {"median": 350.0, "over_target": 1300}
    found = recommend(analysis(cpu={"average": 0.9, "maximum": 1.0}, p95_ms=slow))
    assert [row["action"] for row in found] == ["scale_out", "reduce_latency"]
    assert "more tasks should help" in found[1]["reason"]


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        ({"average": None}, "Nobody measures it."),
        ({"samples": 20, "expected": 20}, "20 samples are too few"),
        ({"samples": 100}, "Only 100 of 1440 periods"),
        ({"complete": False}, "incomplete"),
    ],
)
def test_too_little_data_abstains_with_the_reason(figure: dict[str, Any], words: str) -> None:
    """Nothing is advised on what is not known."""
    found = only(analysis(cpu=figure))
    assert found["action"] == "abstain"
    assert words in found["reason"]


def test_unknown_tasks_abstain() -> None:
    """Without the number of tasks no other number follows."""
    denied = {"tasks": "ecs:DescribeServices was denied."}
    figures = analysis(tasks={"running": None}) | {"reasons": denied}
    found = only(figures)
    assert (found["action"], found["reason"]) == ("abstain", f"CPU: {denied['tasks']}")


@pytest.mark.parametrize(
    ("cpu", "needed", "size"),
    [(256, 300, 512), (256, 600, 1024), (512, 1025, 2048), (256, 3000, None)],
)
def test_memory_comes_in_fargates_sizes(cpu: int, needed: float, size: int | None) -> None:
    """The next size up, or none when the CPU has no such memory."""
    assert fargate_memory(cpu, needed) == size
