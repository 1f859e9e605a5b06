"""Which addresses the portal may connect to on somebody's behalf.

People type addresses of probes, sources and webhooks; the portal stands inside the network. So a
name may lead to nothing that the person could not reach from outside, unless an admin granted it.
`ipaddress.is_private` and `is_global` do not answer that: shared address space, benchmarking
networks, tunnels to IPv4 and others pass them, so the blocks are listed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

__all__ = ["Grant", "Target", "networks_by_feature", "parse", "refusal"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = frozenset({80, 443, 8080, 8443})
DENIED_V4: tuple[IPv4Network, ...] = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "168.63.129.16/32",
    )
)
PUBLIC_V6 = IPv6Network("2000::/3")
DENIED_V6: tuple[IPv6Network, ...] = tuple(
    IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# Where clouds hand out credentials and settings of the machine: no grant opens these.
NEVER: tuple[Network, ...] = tuple(
    ip_network(block)
    for block in (
        "169.254.0.0/16",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "192.0.0.192/32",
        "fe80::/10",
        "fd00:ec2::/32",
        "fd20:ce::/32",
    )
)
LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True)
class Grant:
    """Networks and ports that an admin opened to one feature.

    Args:
        networks: Allowed although they are not public.
        ports: Allowed besides 80, 443, 8080 and 8443.
        any_loopback_port: Whether loopback is open on every port, as in the embedded default.
    """

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()
    any_loopback_port: bool = False

    def allows(self, address: Address) -> bool:
        """Return whether `address` is in a granted network."""
        granted = self.networks + (LOOPBACK if self.any_loopback_port else ())
        return any(_within(address, network) for network in granted)


@dataclass(frozen=True)
class Target:
    """Where an address leads: what is left to resolve is `host`."""

    scheme: str
    host: str
    port: int


def parse(url: str) -> Target:
    """Return the target of `url`, read so strictly that no library can read it otherwise.

    Raises:
        ValueError: With what is wrong, in words.
    """
    if not url.isascii() or any(character <= " " or character in '\\"<>^`{|}' for character in url):
        raise ValueError("has a space or a character that an address cannot have")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("begins neither with http:// nor with https://")
    if "@" in parts.netloc:
        raise ValueError("has a user name or password in it; credentials have fields of their own")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise ValueError("names no host")
    return Target(parts.scheme, _strict_host(host), _port(parts))


def _port(parts: SplitResult) -> int:
    if parts.netloc.endswith(":"):
        raise ValueError("ends its host with a colon")
    try:
        given = parts.port
    except ValueError as error:
        raise ValueError("has a port that is none") from error
    return (443 if parts.scheme == "https" else 80) if given is None else given


def _strict_host(host: str) -> str:
    """Return the host; numbers must be a whole address, not one of its abbreviated spellings."""
    if ":" in host:
        if "%" in host:
            raise ValueError("names a network interface")
        return str(IPv6Address(host))
    last = host.rsplit(".", 1)[-1]
    is_number = last.isdecimal() or last.startswith("0x")
    if is_number:
        try:
            return str(IPv4Address(host))
        except ValueError as error:
            raise ValueError("writes an IPv4 address in another way than 192.0.2.1") from error
    labels = host.split(".")
    usual = all(label and label.replace("-", "").replace("_", "").isalnum() for label in labels)
    if len(host) > 253 or not usual:
        raise ValueError("has a host name that is none")
    return host


def refusal(address: str, port: int, grant: Grant) -> str:
    """Return why the portal must not connect to `address`, or an empty text when it may."""
    judged = _judged(ip_address(address))
    if any(_within(judged, network) for network in NEVER):
        return f"{address} is an address of the machine's own metadata, which is never asked"
    is_loopback = any(_within(judged, network) for network in LOOPBACK)
    free_port = is_loopback and grant.any_loopback_port
    if port not in PORTS | grant.ports and not free_port:
        return f"port {port} is not among those that may be asked"
    if _is_public(judged) or grant.allows(judged):
        return ""
    return f"{address} is not a public address"


def _judged(address: Address) -> Address:
    """An IPv4 address inside an IPv6 one is judged as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in block for block in DENIED_V4)
    return address in PUBLIC_V6 and not any(address in block for block in DENIED_V6)


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def networks_by_feature(entries: Sequence[str]) -> dict[str, tuple[Network, ...]]:
    """Read what an admin granted: `feature=network` entries, e.g. `prometheus=10.0.0.0/8`.

    Raises:
        ValueError: If an entry is none.
    """
    granted: dict[str, tuple[Network, ...]] = {}
    for entry in entries:
        feature, separator, network = entry.partition("=")
        if not (feature and separator):
            raise ValueError(f"{entry!r} is no feature=network, e.g. prometheus=10.0.0.0/8")
        granted[feature] = (*granted.get(feature, ()), ip_network(network))
    return granted
