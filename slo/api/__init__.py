"""REST resources of the SLO engine."""

from rest_framework.routers import SimpleRouter

from slo.api.rules import ThresholdRuleViewSet
from slo.api.slis import SliViewSet
from slo.api.slos import SloViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("slis", SliViewSet, basename="sli")
    router.register("slos", SloViewSet, basename="slo")
    router.register("threshold-rules", ThresholdRuleViewSet, basename="threshold-rule")
