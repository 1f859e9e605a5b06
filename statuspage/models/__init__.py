"""What the public page shows, and who hears of it."""

from statuspage.models.components import Component, ComponentGroup
from statuspage.models.incidents import AffectedComponent, PublicIncident, PublicMaintenance
from statuspage.models.subscribers import (
    Announcement,
    MaintenanceAnnouncement,
    MaintenanceNotice,
    Notice,
    Subscriber,
    SubscriptionRequest,
)

__all__ = [
    "AffectedComponent",
    "Announcement",
    "Component",
    "ComponentGroup",
    "MaintenanceAnnouncement",
    "MaintenanceNotice",
    "Notice",
    "PublicIncident",
    "PublicMaintenance",
    "Subscriber",
    "SubscriptionRequest",
]
