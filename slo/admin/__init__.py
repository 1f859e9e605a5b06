"""Admin of the SLO engine. All changes go through the services."""

from slo.admin.corrections import AnnotationAdmin, CorrectionAdmin
from slo.admin.objectives import SloAdmin
from slo.admin.policies import BudgetPolicyAdmin, FreezeOverrideAdmin
from slo.admin.rules import ThresholdRuleAdmin
from slo.admin.slis import SliAdmin
from slo.admin.sources import SourceAdmin

__all__ = [
    "AnnotationAdmin",
    "BudgetPolicyAdmin",
    "CorrectionAdmin",
    "FreezeOverrideAdmin",
    "SliAdmin",
    "SloAdmin",
    "SourceAdmin",
    "ThresholdRuleAdmin",
]
