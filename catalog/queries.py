"""Reads that span several rows of the catalog."""

from collections import defaultdict

from accounts.models import User
from catalog.domain.dependency_graph import reach
from catalog.models import Dependency, Service

__all__ = ["stops_with"]


def stops_with(service: Service, user: User) -> list[Service]:
    """Return what goes down when `service` does, nearest first: who needs it, hard, and so on.

    Services that `user` may not know of are left out, and so is what only they lead to.
    """
    known = {row.pk: row for row in Service.objects.visible_to(user).only("slug", "name", "tier")}
    needed_by: dict[int, list[int]] = defaultdict(list)
    links = Dependency.objects.filter(is_hard=True).order_by("service__slug")
    for source, target in links.values_list("service_id", "target_id"):
        if source in known and target in known:
            needed_by[target].append(source)
    return [known[pk] for pk in reach(needed_by, service.pk)]
