"""An SLO as it is given to other tools."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from slo.domain.exchange.windows import WindowDraft

__all__ = ["Exported"]


@dataclass(frozen=True)
class Exported:
    """One SLO with what it is made of.

    Args:
        slug: Its slug.
        name: Its name.
        description: What it is about.
        service: Slug of its service.
        objective: In force.
        window: Its window.
        method: occurrences, time_slices or ratio_of_slices.
        minimum_events: Fewest events in a long window that may raise a burn alert.
        is_enabled: Whether it is evaluated.
        sli: Slug of its SLI.
        measured: The SLI's fields by name, as in the model.
        source: Slug of the source that is asked, "" for the portal's own telemetry.
        source_kind: prometheus, cloudwatch, or "".
        members: Of a composite: slug and weight of each member.
        policy: Name of its budget policy, "" for the standard one.
        versions: How many objectives it has had.
    """

    slug: str
    name: str
    description: str
    service: str
    objective: Decimal
    window: WindowDraft
    method: str
    minimum_events: int
    is_enabled: bool
    sli: str
    measured: Mapping[str, Any]
    source: str = ""
    source_kind: str = ""
    members: tuple[tuple[str, int], ...] = ()
    policy: str = ""
    versions: int = 1
