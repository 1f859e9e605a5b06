"""What the public page shows, and who hears of it."""

from statuspage.models.components import Component, ComponentGroup
from statuspage.models.incidents import AffectedComponent, PublicIncident, PublicMaintenance
from statuspage.models.subscribers import Announcement, Notice, Subscriber, SubscriptionRequest

__all__ = [
    "AffectedComponent",
    "Announcement",
    "Component",
    "ComponentGroup",
    "Notice",
    "PublicIncident",
    "PublicMaintenance",
    "Subscriber",
    "SubscriptionRequest",
]
