"""What a service needs: hard dependencies never form a circle."""

from collections import defaultdict
from collections.abc import Mapping

from catalog.domain.dependency_graph import path_between
from catalog.models import Dependency, Service
from core.errors import InvalidInput

__all__ = ["lock_graph", "refuse_cycles", "set_dependencies"]

Wanted = Mapping[Service, bool]


def lock_graph() -> None:
    """Let one transaction at a time change dependencies: two halves of a circle look fine alone.

    Comes before any other lock, always in the order of the ids, so that two callers queue.
    """
    rows = Service.objects.select_for_update().order_by("pk")
    list(rows.values_list("pk", flat=True))


def set_dependencies(
    service: Service, wanted: Wanted, *, hidden: frozenset[int] = frozenset()
) -> dict[str, list[list[str]]]:
    """Make `wanted` the dependencies of `service`.

    Args:
        service: A saved service.
        wanted: For each target whether the dependency is hard.
        hidden: Targets (by id) that whoever asks may not know of; links to them are kept.

    Returns:
        `{"dependencies": [before, after]}`, or {} when they were so already.

    Raises:
        InvalidInput: A service needs itself, or the hard ones would form a circle.
    """
    present = {
        link.target_id: link
        for link in service.dependencies.select_related("target")
        if link.target_id not in hidden
    }
    before = {link.target: link.is_hard for link in present.values()}
    if before == dict(wanted):
        return {}
    refuse_cycles(service, wanted, hidden=hidden)
    kept = {target.pk for target in wanted}
    service.dependencies.filter(target__in=[pk for pk in present if pk not in kept]).delete()
    for target, is_hard in wanted.items():
        Dependency.objects.update_or_create(
            service=service, target=target, defaults={"is_hard": is_hard}
        )
    return {"dependencies": [_spelt(before), _spelt(wanted)]}


def refuse_cycles(
    service: Service, wanted: Wanted, *, hidden: frozenset[int] = frozenset()
) -> None:
    """Raise `InvalidInput` with the path when a hard dependency would lead back to `service`."""
    if service in wanted:
        raise InvalidInput(f"{service.slug} cannot depend on itself.", field="dependencies")
    hard = [target for target, is_hard in wanted.items() if is_hard]
    if not hard:
        return
    edges: dict[int, list[int]] = defaultdict(list)
    links = Dependency.objects.filter(is_hard=True).exclude(service=service)
    for source, target_id in links.values_list("service_id", "target_id"):
        edges[source].append(target_id)
    for target in hard:
        path = path_between(edges, target.pk, service.pk)
        if path is not None:
            raise InvalidInput(
                f"Hard dependencies would go round in a circle: {_named(service, path, hidden)}. "
                "Make one of them soft, or leave it out.",
                field="dependencies",
            )


def _named(service: Service, path: list[int], hidden: frozenset[int]) -> str:
    slugs = dict(Service.objects.filter(pk__in=path).values_list("pk", "slug"))
    names = ["(a private service)" if pk in hidden else slugs[pk] for pk in path]
    return " → ".join([service.slug, *names])


def _spelt(links: Wanted) -> list[str]:
    return sorted(
        target.slug if is_hard else f"{target.slug} (soft)" for target, is_hard in links.items()
    )
