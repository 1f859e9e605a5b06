"""What the value of a setting must look like, so that a wrong one is a sentence and no stack trace.

A rule takes the value and returns what it must be, or None when it is that. No message carries the
value of an address or a secret: it may hold a password.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import environ

Rule = Callable[[Any], str | None]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
# Whose requests may be let into a network that is not public.
FEATURES = ("prometheus", "probe", "notifications", "slack", "calendar", "dead_man", "amazon_sns")


class InvalidSetting(Exception):
    """A setting that the portal cannot start with; the message is one line that names it."""


def parse(name: str, kind: type, text: str) -> Any:
    """Return `text` as `kind`: int, bool, list (separated by commas) or str.

    Raises:
        InvalidSetting: If it is no such thing.
    """
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise InvalidSetting(f"{name} must be a whole number, not {text!r}.") from None
    if kind is bool:
        word = text.strip().lower()
        if word not in TRUE | FALSE:
            raise InvalidSetting(f"{name} must be 1 or 0, not {text!r}.")
        return word in TRUE
    if kind is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def between(lowest: int, highest: int) -> Rule:
    """Return a rule for a number."""

    def rule(value: int) -> str | None:
        if lowest <= value <= highest:
            return None
        return f"between {lowest} and {highest}, not {value}"

    return rule


def one_of(*choices: str) -> Rule:
    """Return a rule for a word, or for each word of a list."""

    def rule(value: str | Sequence[str]) -> str | None:
        words = [value] if isinstance(value, str) else value
        wrong = [word for word in words if word not in choices]
        return f"one of {', '.join(choices)}; not {wrong[0]!r}" if wrong else None

    return rule


def address(*schemes: str, example: str, needs_host: bool = True) -> Rule:
    """Return a rule for a URL; empty is left to the setting's own meaning."""

    def rule(value: str) -> str | None:
        if not value:
            return None
        try:
            parts = urlsplit(value)
            known = parts.scheme in schemes and (parts.port is None or parts.port > 0)
            named = bool(parts.hostname) or not needs_host
        except ValueError:
            known = named = False
        return None if known and named else f"an address like {example}"

    return rule


def without_login(rule: Rule) -> Rule:
    """Return a rule for an address that is shown: it must also have no user and password in it."""

    def stricter(value: str) -> str | None:
        if (wanted := rule(value)) is not None:
            return wanted
        return "an address without user and password" if "@" in urlsplit(value).netloc else None

    return stricter


def numbered_database(rule: Rule) -> Rule:
    """Return a rule for an address of Redis: the path, where there is one, is a database's number."""

    def stricter(value: str) -> str | None:
        if (wanted := rule(value)) is not None:
            return wanted
        parts = urlsplit(value)
        name = parts.path.strip("/")
        is_server = parts.scheme in {"redis", "rediss"}
        is_wrong = is_server and name and not (name.isascii() and name.isdecimal())
        return "an address like redis://host:6379/0, with a number at its end" if is_wrong else None

    return stricter


def ports(value: Sequence[str]) -> str | None:
    """Rule for a list of TCP ports."""
    wrong = [each for each in value if not _is_port(each)]
    return f"ports between 1 and 65535, like 9090; not {wrong[0]!r}" if wrong else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65535


def grants(value: Sequence[str]) -> str | None:
    """Rule for networks that are opened to features."""
    for each in value:
        feature, _, network = each.partition("=")
        if feature not in FEATURES:
            return f"feature=network, the feature one of {', '.join(FEATURES)}; not {each!r}"
        try:
            ip_network(network)
        except ValueError as error:
            return f"feature=network, like {feature}=10.0.0.0/8; not {each!r} ({error})"
    return None


def copy_target(value: str) -> str | None:
    """Rule for where the status page is copied to."""
    wanted = "an absolute folder, or an address like s3://bucket/prefix"
    if value.startswith("s3://"):
        bucket = value.removeprefix("s3://").partition("/")[0]
        return None if _BUCKET.fullmatch(bucket) else wanted
    return None if not value or value.startswith("/") else wanted


RULES: dict[str, Rule] = {
    "PORT": between(1, 65535),
    # Pages, links and logs show it.
    "PORTAL_URL": without_login(address("http", "https", example="https://sre.example.org")),
    # A host may be missing: libpq and the broker reach a unix socket by its path.
    "DATABASE_URL": address(
        *("postgres", "postgresql", "pgsql"),
        example="postgres://user:password@host:5432/name",
        needs_host=False,
    ),
    "REDIS_URL": numbered_database(
        address(
            *("redis", "rediss", "redis+socket", "sentinel"),
            example="redis://host:6379/0",
            needs_host=False,
        )
    ),
    "NUM_PROXIES": between(0, 20),
    "LOG_LEVEL": one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "LOG_FORMAT": one_of("console", "json"),
    "DEMO": one_of("auto", "1", "0"),
    "USERS_API_ANONYMOUS": one_of("auto", "1", "0"),
    "WEB_THREADS": between(1, 1000),
    "WEB_WORKERS": between(1, 1000),
    "WORKER_CONCURRENCY": between(1, 1000),
    "EMAIL_URL": address(
        *environ.Env.EMAIL_SCHEMES, example="smtp://user:password@host:587", needs_host=False
    ),
    "TWILIO_URL": address("http", "https", example="https://api.twilio.com"),
    "SLACK_API_URL": address("http", "https", example="https://slack.com/api"),
    "PAGER_SENDERS": between(1, 100),
    "PAGE_EVERY_S": between(0, 3600),
    "DEAD_MAN_URL": address("http", "https", example="https://hc-ping.com/uuid"),
    "OIDC_ISSUER": address("http", "https", example="https://login.example.org"),
    "MFA_REQUIRED_ROLES": one_of("viewer", "responder", "manager", "admin"),
    "TELEMETRY_RETENTION_DAYS": between(1, 3660),
    "INTAKE_RETENTION_DAYS": between(1, 3660),
    "STATUSPAGE_URL": without_login(address("http", "https", example="https://status.example.org")),
    "STATUSPAGE_EXPORT": copy_target,
    # The page looks 30 days ahead.
    "STATUSPAGE_ANNOUNCE_HOURS": between(1, 720),
    "STATUSPAGE_REMIND_HOURS": between(0, 720),
    "AWS_ENDPOINT_URL": address("http", "https", example="http://127.0.0.1:5000"),
    "OUTBOUND_ALLOW": grants,
    "OUTBOUND_PORTS": ports,
}
