"""SLIs, objectives with their versions, the packed slices and the newest figures."""

from slo.models.annotations import Annotation
from slo.models.corrections import Correction, SliceAdjustment
from slo.models.objective import BEGINNING, Slo, SloVersion, validate_timezone
from slo.models.policy import BudgetPolicy, FreezeOverride
from slo.models.probes import ProbeResult, ProbeSchedule
from slo.models.pulls import BackfillJob, PullState
from slo.models.rules import ThresholdRule
from slo.models.sli import CompositeMember, Sli, latency_hint
from slo.models.slices import SliceBlock
from slo.models.source import Source
from slo.models.status import Round, SloStatus, StateChange

__all__ = [
    "BEGINNING",
    "Annotation",
    "BackfillJob",
    "BudgetPolicy",
    "CompositeMember",
    "Correction",
    "FreezeOverride",
    "ProbeResult",
    "ProbeSchedule",
    "PullState",
    "Round",
    "Sli",
    "SliceAdjustment",
    "SliceBlock",
    "Slo",
    "SloStatus",
    "SloVersion",
    "Source",
    "StateChange",
    "ThresholdRule",
    "latency_hint",
    "validate_timezone",
]
