"""REST resources of the SLO engine."""

from django.urls import URLPattern, path
from rest_framework.routers import SimpleRouter

from slo.api.annotations import AnnotationViewSet
from slo.api.backfills import BackfillViewSet
from slo.api.corrections import CorrectionViewSet
from slo.api.policies import BudgetPolicyViewSet, FreezeOverrideViewSet, FreezeView
from slo.api.rules import ThresholdRuleViewSet
from slo.api.slis import SliViewSet
from slo.api.slos import SloViewSet
from slo.api.sources import SourceViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("annotations", AnnotationViewSet, basename="annotation")
    router.register("backfills", BackfillViewSet, basename="backfill")
    router.register("budget-policies", BudgetPolicyViewSet, basename="budget-policy")
    router.register("corrections", CorrectionViewSet, basename="correction")
    router.register("freeze-overrides", FreezeOverrideViewSet, basename="freeze-override")
    router.register("slis", SliViewSet, basename="sli")
    router.register("slos", SloViewSet, basename="slo")
    router.register("sources", SourceViewSet, basename="source")
    router.register("threshold-rules", ThresholdRuleViewSet, basename="threshold-rule")


def addresses() -> list[URLPattern]:
    """Return what is no resource of its own."""
    return [path("services/<slug:slug>/freeze", FreezeView.as_view(), name="service-freeze")]
