"""The ways in which people are reached, and what an address of each looks like."""

import re
from enum import StrEnum
from urllib.parse import urlsplit

__all__ = ["Kind", "address_problem", "masked", "normalized"]

_EMAIL = re.compile(r"\A[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+\Z")
_PHONE = re.compile(r"\A\+[1-9][0-9]{6,14}\Z")


class Kind(StrEnum):
    """A way to reach somebody."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    WEBHOOK = "webhook"

    @property
    def label(self) -> str:
        """How pages call it."""
        return {
            Kind.EMAIL: "Email",
            Kind.SMS: "Text message",
            Kind.VOICE: "Telephone call",
            Kind.WEBHOOK: "Webhook",
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
    return _web_problem(address)


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
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}/…"
