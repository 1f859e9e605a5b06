"""REST resources of alerts and incidents, and of what raises and silences them."""

from django.urls import URLPattern, path
from rest_framework.routers import SimpleRouter

from incidents.api.action_items import ActionItemViewSet
from incidents.api.alerts import AlertViewSet
from incidents.api.analytics import AnalyticsView
from incidents.api.communication_templates import CommunicationTemplateViewSet
from incidents.api.heartbeats import HeartbeatViewSet
from incidents.api.incidents import IncidentViewSet
from incidents.api.integrations import IntegrationViewSet
from incidents.api.maintenance import MaintenanceViewSet
from incidents.api.postmortems import PostmortemViewSet
from incidents.api.silences import SilenceViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("action-items", ActionItemViewSet, basename="action-item")
    router.register("alerts", AlertViewSet, basename="alert")
    router.register(
        "communication-templates", CommunicationTemplateViewSet, basename="communication-template"
    )
    router.register("heartbeats", HeartbeatViewSet, basename="heartbeat")
    router.register("incidents", IncidentViewSet, basename="incident")
    router.register("integrations", IntegrationViewSet, basename="integration")
    router.register("maintenance", MaintenanceViewSet, basename="maintenance")
    router.register("postmortems", PostmortemViewSet, basename="postmortem")
    router.register("silences", SilenceViewSet, basename="silence")


def addresses() -> list[URLPattern]:
    """Return what is no resource of its own."""
    return [path("analytics/incidents/", AnalyticsView.as_view(), name="incident-analytics")]
