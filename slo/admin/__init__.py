"""Admin of the SLO engine. All changes go through the services."""

from slo.admin.corrections import AnnotationAdmin, CorrectionAdmin
from slo.admin.objectives import SloAdmin
from slo.admin.policies import BudgetPolicyAdmin, FreezeOverrideAdmin
from slo.admin.rules import ThresholdRuleAdmin
from slo.admin.slis import SliAdmin

__all__ = [
    "AnnotationAdmin",
    "BudgetPolicyAdmin",
    "CorrectionAdmin",
    "FreezeOverrideAdmin",
    "SliAdmin",
    "SloAdmin",
    "ThresholdRuleAdmin",
]
