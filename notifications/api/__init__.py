"""REST resources of how people and teams are reached."""

from rest_framework.routers import SimpleRouter

from notifications.api.methods import ChannelViewSet, ContactMethodViewSet
from notifications.api.quiet_hours import QuietHoursViewSet
from notifications.api.rules import NotificationRuleViewSet


def register(router: SimpleRouter) -> None:
    """Add the resources of this app."""
    router.register("channels", ChannelViewSet, basename="channel")
    router.register("contact-methods", ContactMethodViewSet, basename="contact-method")
    router.register("notification-rules", NotificationRuleViewSet, basename="notification-rule")
    router.register("quiet-hours", QuietHoursViewSet, basename="quiet-hours")
