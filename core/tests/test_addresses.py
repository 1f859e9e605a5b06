"""Which addresses may be asked."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.addresses import DENIED_V4, DENIED_V6, NEVER, Grant, networks_by_feature, parse, refusal

NOTHING = Grant()
EVERYTHING = Grant(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize("block", [*DENIED_V4, *DENIED_V6], ids=str)
def test_listed_blocks_are_closed(block) -> None:
    """The first and the last address of every listed block are refused."""
    for address in (block[0], block[-1]):
        assert refusal(str(address), 443, NOTHING)


@pytest.mark.parametrize(
    "address",
    ["::1", "::", "fc00::1", "fe80::1", "ff02::1", "64:ff9b::7f00:1", "::127.0.0.1", "100::1"],
)
def test_ipv6_outside_global_unicast_is_closed(address: str) -> None:
    """Only 2000::/3 is the internet: loopback, local, multicast and tunnels are not."""
    assert refusal(address, 443, NOTHING)


@pytest.mark.parametrize("address", ["8.8.8.8", "193.0.6.139", "2606:4700::1111", "2001:4860::8"])
def test_public_addresses_are_open(address: str) -> None:
    """What anybody can reach may be asked."""
    assert refusal(address, 443, NOTHING) == ""


@given(st.ip_addresses(v=4))
def test_mapped_ipv6_is_judged_as_ipv4(address) -> None:
    """Writing an IPv4 address as IPv6 opens nothing."""
    mapped = f"::ffff:{address}"
    assert bool(refusal(mapped, 443, NOTHING)) == bool(refusal(str(address), 443, NOTHING))


@pytest.mark.parametrize("block", NEVER, ids=str)
def test_no_grant_opens_metadata(block) -> None:
    """Even with every network granted, the cloud's metadata is never asked."""
    assert "metadata" in refusal(str(block[0]), 80, EVERYTHING)
    assert "metadata" in refusal(str(block[-1]), 80, EVERYTHING)


def test_metadata_behind_a_mapped_address_stays_closed() -> None:
    """::ffff:169.254.169.254 is 169.254.169.254."""
    assert "metadata" in refusal("::ffff:169.254.169.254", 80, EVERYTHING)


def test_grant_opens_its_network_and_no_other() -> None:
    """Ten is granted, so ten is open, and 192.168 is not."""
    ten = Grant(networks=(ip_network("10.0.0.0/8"),))
    assert refusal("10.1.2.3", 443, ten) == ""
    assert refusal("192.168.1.1", 443, ten)
    assert refusal("::ffff:10.1.2.3", 443, ten) == ""


def test_ports_are_listed() -> None:
    """Mail, databases and shells are no web servers; an admin's list adds a port."""
    assert [p for p in (80, 443, 8080, 8443) if refusal("8.8.8.8", p, NOTHING)] == []
    assert [p for p in (0, 22, 25, 5432, 6379, 9090) if not refusal("8.8.8.8", p, NOTHING)] == []
    assert refusal("8.8.8.8", 9090, Grant(ports=frozenset({9090}))) == ""


def test_loopback_on_every_port_only_where_it_is_granted() -> None:
    """The embedded default reaches this machine's servers, a production portal does not."""
    local = Grant(any_loopback_port=True)
    assert [a for a in ("127.0.0.1", "127.9.9.9", "::1") if refusal(a, 9090, local)] == []
    assert refusal("127.0.0.1", 80, NOTHING)
    assert refusal("10.0.0.1", 9090, local)


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://127.0.0.01/",
        "http://1.2.3/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
    ],
)
def test_other_spellings_of_ipv4_are_refused(url: str) -> None:
    """Decimal, octal, hexadecimal and short forms are read differently by different libraries."""
    with pytest.raises(ValueError, match="another way"):
        parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "http://",
        "http:///path",
        "http://user:pass@example.com/",
        "http://127.0.0.1@example.com/",
        "http://example.com\\@127.0.0.1/",
        "http://exa mple.com/",
        "http://example.com\n/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://example.com:/",
        "http://ex%61mple.com/",
        "http://éxample.com/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://a..b/",
        "http://" + "a" * 254 + "/",
    ],
)
def test_ambiguous_addresses_are_refused(url: str) -> None:
    """What two libraries could read as two hosts is not read at all."""
    with pytest.raises(ValueError):
        parse(url)


def test_ordinary_addresses_are_read() -> None:
    """Scheme, host and port, with the scheme's own port where none is given."""
    assert parse("https://example.com/path?q=1").port == 443
    assert parse("http://prometheus:9090").host == "prometheus"
    assert parse("http://[2606:4700::1111]:8080/").host == "2606:4700::1111"
    assert parse("http://localhost./").host == "localhost"
    assert parse("http://EXAMPLE.com/").host == "example.com"


def test_grants_are_read_by_feature() -> None:
    """`feature=network`, several a feature; anything else says how it is written."""
    found = networks_by_feature(["prometheus=10.0.0.0/8", "prometheus=fd00::/8", "probe=::1/128"])
    assert [str(network) for network in found["prometheus"]] == ["10.0.0.0/8", "fd00::/8"]
    for wrong in ("10.0.0.0/8", "=10.0.0.0/8", "probe=10.0.0.1/8", "probe=lan"):
        with pytest.raises(ValueError):
            networks_by_feature([wrong])
