"""The ways in which people are reached, and what an address of each looks like."""

import re
from enum import StrEnum
from urllib.parse import urlsplit

from notifications.domain.web_push import read_subscription

__all__ = ["PUSH_SERVICES", "Kind", "address_problem", "masked", "normalized"]

_EMAIL = re.compile(r"\A[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+\Z")
_SLACK = re.compile(r"\A[UWCGD][A-Z0-9]{5,20}\Z")
# Services of Apprise that reach people; what only moves data or runs programs is none of them.
PUSH_SERVICES = frozenset(
    {
        "discord", "gchat", "gotify", "gotifys", "matrix", "matrixs", "mmost", "mmosts", "ntfy",
        "ntfys", "pbul", "pover", "rocket", "rockets", "signal", "signals", "tgram", "threema",
        "whatsapp", "workflows", "wxteams", "zulip",
    }
)  # fmt: skip
_PHONE = re.compile(r"\A\+[1-9][0-9]{6,14}\Z")


class Kind(StrEnum):
    """A way to reach somebody."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    WEBHOOK = "webhook"
    SLACK = "slack"
    APPRISE = "apprise"
    WEB_PUSH = "web_push"

    @property
    def label(self) -> str:
        """How pages call it."""
        return {
            Kind.EMAIL: "Email",
            Kind.SMS: "Text message",
            Kind.VOICE: "Telephone call",
            Kind.WEBHOOK: "Webhook",
            Kind.SLACK: "Slack",
            Kind.APPRISE: "Push service",
            Kind.WEB_PUSH: "Browser",
        }[self]


def normalized(kind: Kind, address: str) -> str:
    """Return an address as it is stored: telephone numbers without spaces and the like."""
    address = address.strip()
    return re.sub(r"[\s()./-]", "", address) if kind in {Kind.SMS, Kind.VOICE} else address


def address_problem(kind: Kind, address: str) -> str:
    """Return what is wrong with a normalized address; empty when nothing is."""
    if kind is Kind.EMAIL:
        return "" if _EMAIL.match(address) else "Use an address such as ada@example.com."
    if kind in {Kind.SMS, Kind.VOICE}:
        return "" if _PHONE.match(address) else "Use a number such as +44 20 7946 0018."
    if kind is Kind.SLACK:
        return "" if _SLACK.match(address) else "Use a member's or channel's ID, e.g. U024BE7LH."
    if kind is Kind.WEB_PUSH:
        return _subscription_problem(address)
    return _push_problem(address) if kind is Kind.APPRISE else _web_problem(address)


def _subscription_problem(address: str) -> str:
    try:
        read_subscription(address)
    except ValueError as error:
        return str(error)
    return ""


def _push_problem(address: str) -> str:
    scheme, found, rest = address.partition("://")
    if found and rest and scheme.lower() in PUSH_SERVICES:
        return ""
    return f"Use an address of one of these: {', '.join(sorted(PUSH_SERVICES))}; e.g. ntfy://topic."


def _web_problem(address: str) -> str:
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        valid = False
    return "" if valid else "Use an address with http or https."


def masked(kind: Kind, address: str) -> str:
    """Return enough of an address to recognise it, too little to use it."""
    if kind is Kind.EMAIL:
        name, _, host = address.partition("@")
        return f"{name[:1]}…@{host}"
    if kind in {Kind.SMS, Kind.VOICE}:
        return f"{address[:3]}…{address[-2:]}"
    if kind is Kind.SLACK:
        return f"{address[:1]}…{address[-2:]}"
    if kind is Kind.APPRISE:
        return f"{address.partition('://')[0]}://…"
    if kind is Kind.WEB_PUSH:
        return f"by {urlsplit(read_subscription(address).endpoint).hostname}"
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}/…"
