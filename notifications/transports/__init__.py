"""Ways out: one file each, found by its kind."""

from notifications.transports.apprise import Push
from notifications.transports.base import Recipient, Transport, TransportFailed, transport_for
from notifications.transports.email import Email
from notifications.transports.slack import Slack
from notifications.transports.twilio import TextMessage, VoiceCall
from notifications.transports.web_push import WebPush
from notifications.transports.webhook import Webhook

__all__ = [
    "Email",
    "Push",
    "Recipient",
    "Slack",
    "TextMessage",
    "Transport",
    "TransportFailed",
    "VoiceCall",
    "WebPush",
    "Webhook",
    "transport_for",
]
