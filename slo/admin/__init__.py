"""Admin of the SLO engine. All changes go through the services."""

from slo.admin.objectives import SloAdmin
from slo.admin.rules import ThresholdRuleAdmin
from slo.admin.slis import SliAdmin

__all__ = ["SliAdmin", "SloAdmin", "ThresholdRuleAdmin"]
