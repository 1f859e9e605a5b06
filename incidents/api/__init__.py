"""REST resources of alerts and of what raises them."""

from rest_framework.routers import SimpleRouter

from incidents.api.alerts import AlertViewSet
from incidents.api.heartbeats import HeartbeatViewSet
from incidents.api.integrations import IntegrationViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("alerts", AlertViewSet, basename="alert")
    router.register("heartbeats", HeartbeatViewSet, basename="heartbeat")
    router.register("integrations", IntegrationViewSet, basename="integration")
