"""What a document says, whichever format it is written in, and the SLOs it becomes.

A `Promise` is an SLO as its document says it: its indicator may be the name of another document.
`planning` makes `PlannedSlo`s of it: rows of the portal, without a reference left open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.yaml_documents import Path
from slo.domain.exchange.checks import Report
from slo.domain.exchange.windows import WindowDraft

__all__ = [
    "Entry",
    "Indicator",
    "Metric",
    "Objective",
    "PlannedSli",
    "PlannedSlo",
    "Promise",
    "Reference",
    "ServiceDraft",
    "SourceDraft",
    "SourceRef",
]


@dataclass(frozen=True)
class Reference:
    """A field that names another document.

    Attributes:
        is_needed: Whether the document is refused without the other.
    """

    path: Path
    kind: str
    name: str
    is_needed: bool = True


@dataclass(frozen=True)
class ServiceDraft:
    """A service, as far as these formats describe one; None is: not said."""

    slug: str
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True)
class SourceRef:
    """Where a metric comes from: by name, by type, or both.

    Attributes:
        details: Of a connection that is written beside the metric.
    """

    path: Path
    name: str = ""
    type: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceDraft:
    """A data source: its name, its type as written, and its connection."""

    slug: str
    type: str
    details: Mapping[str, Any]
    path: Path


@dataclass(frozen=True)
class Metric:
    """One query: where it is asked and its fields as written (`spec`)."""

    path: Path
    source: SourceRef
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Indicator:
    """An SLI.

    Attributes:
        metrics: By role: good, bad, total, raw or value.
        raw_type: Of a raw ratio: success or failure.
        report: Of the document that it is in, which need not be that of the SLO.
    """

    name: str
    path: Path
    metrics: Mapping[str, Metric]
    description: str = ""
    raw_type: str = "success"
    report: Report = field(default_factory=Report, compare=False, repr=False)


@dataclass(frozen=True)
class Objective:
    """One target of an SLO.

    Attributes:
        indicator: Of a part of a composite: the SLI or its reference; else None.
        weight: Of a part of a composite.
    """

    path: Path
    target: Decimal
    title: str = ""
    comparison: str = ""
    value: Decimal | None = None
    slice_target: Decimal | None = None
    indicator: Indicator | Reference | None = None
    weight: Decimal = Decimal(1)


@dataclass(frozen=True)
class Promise:
    """An SLO as written.

    Attributes:
        window: None when the portal has none like it.
        own: What the portal keeps in annotations of its own.
    """

    slug: str
    path: Path
    service: str
    service_path: Path
    window: WindowDraft | None
    method: str
    objectives: tuple[Objective, ...]
    indicator: Indicator | Reference | None = None
    title: str = ""
    description: str = ""
    own: Mapping[str, Any] = field(default_factory=dict)
    is_composite: bool = False


@dataclass(frozen=True)
class PlannedSli:
    """An SLI of the portal.

    Attributes:
        fields: By name of the model's field, all but slug, service and source.
        source: Where it is asked; None counts the portal's own telemetry.
    """

    slug: str
    fields: Mapping[str, Any]
    source: SourceRef | None
    path: Path


@dataclass(frozen=True)
class PlannedSlo:
    """An SLO of the portal.

    Attributes:
        fields: By name of the model's field, all but slug, SLI and objective.
        members: Of a composite: slug of each member and its weight; else empty.
    """

    slug: str
    service: str
    service_path: Path
    objective: Decimal
    fields: Mapping[str, Any]
    sli: PlannedSli
    path: Path
    members: tuple[tuple[str, int], ...] = ()


@dataclass
class Entry:
    """One document, read: its drafts, what it is called, and whom it refers to."""

    kind: str = ""
    format: str = ""
    name: str = ""
    name_path: Path = ()
    service: ServiceDraft | None = None
    source: SourceDraft | None = None
    indicator: Indicator | None = None
    promises: list[Promise] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
