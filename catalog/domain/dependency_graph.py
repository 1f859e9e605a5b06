"""What a failure reaches: paths in the graph of dependencies."""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

__all__ = ["path_between", "reach"]

Node = TypeVar("Node", bound=Hashable)


def path_between(edges: Mapping[Node, Iterable[Node]], start: Node, end: Node) -> list[Node] | None:
    """Return the nodes of a shortest path from `start` to `end`, both included.

    Args:
        edges: For each node what it depends on; nodes without dependencies may be left out.
        start: First node.
        end: Last node.

    Returns:
        None when `end` cannot be reached. A node reaches itself without a step.
    """
    came_from: dict[Node, Node | None] = {start: None}
    frontier = [start]
    while frontier and end not in came_from:
        reached: list[Node] = []
        for node in frontier:
            for target in edges.get(node, ()):
                if target not in came_from:
                    came_from[target] = node
                    reached.append(target)
        frontier = reached
    if end not in came_from:
        return None
    path: list[Node] = []
    step: Node | None = end
    while step is not None:
        path.append(step)
        step = came_from[step]
    return path[::-1]


def reach(edges: Mapping[Node, Iterable[Node]], start: Node) -> list[Node]:
    """Return all nodes that can be reached from `start`, nearest first, `start` left out."""
    seen = {start}
    found: list[Node] = []
    frontier = [start]
    while frontier:
        frontier = [
            target
            for node in frontier
            for target in edges.get(node, ())
            if target not in seen and not seen.add(target)  # type: ignore[func-returns-value]
        ]
        found += frontier
    return found
