"""What an experiment may be aimed at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["Target", "belongs_to_the_portal", "is_loopback", "parse_target", "portal_stores"]

DEFAULT_PORTS = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432, "redis": 6379}


@dataclass(frozen=True)
class Target:
    """An HTTP address, taken apart."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Take an address apart.

    Raises:
        ValueError: If it is not http or https with a host, or carries credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError("target_url: the port must be a number up to 65535") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("target_url: use http:// or https:// and a host")
    if parts.username or parts.password:
        raise ValueError("target_url: leave out user and password; journals are kept")
    path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return Target(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme], path)


def is_loopback(addresses: Iterable[str]) -> bool:
    """Return whether every address a name stands for is this machine's loopback."""
    found = [ip_address(address.partition("%")[0]).is_loopback for address in addresses]
    return bool(found) and all(found)


def portal_stores(environment: Mapping[str, str]) -> frozenset[tuple[str, int]]:
    """Return host and port of the portal's own database and broker, from its settings."""
    found = set()
    for name in ("DATABASE_URL", "REDIS_URL"):
        parts = urlsplit(environment.get(name, ""))
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        if parts.hostname and port:
            found.add((parts.hostname, port))
    return frozenset(found)


def belongs_to_the_portal(
    target: Target | None, db_instance: str, environment: Mapping[str, str]
) -> str:
    """Return why an aim is the portal's own store, "" when it is not.

    This machine has many names: where the store is on loopback, the port alone decides.
    """
    for host, port in portal_stores(environment):
        local = host in {"localhost", "127.0.0.1", "::1"}
        if target and target.port == port and (target.host == host or local):
            return "The target is the portal's own database or broker."
        if db_instance and host.startswith(f"{db_instance}."):
            return f"The RDS instance {db_instance} is the portal's own database."
    return ""
