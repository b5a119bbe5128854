"""Classes of addresses: unspecified, loopback, private or reserved, ordinary.

The documentation ranges (TEST-NET, 2001:db8::/32) and 198.18.0.0/15 count as ordinary: laboratories
use them for the Internet.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_NULL = frozenset({"0.0.0.0", "::"})
_BOGONS = tuple(
    ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "240.0.0.0/4",
        "fc00::/7",
        "fe80::/10",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, an IPv4-mapped one as IPv4; None where it is none."""
    try:
        one = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (one.ipv4_mapped or one) if isinstance(one, IPv6Address) else one


def is_null(text: str) -> bool:
    """Whether it is the unspecified address, which no host can have."""
    return text in _NULL


def is_loopback_ip(text: str) -> bool:
    """Whether it is an address of this host alone."""
    one = parse_ip(text)
    return one is not None and one.is_loopback


def is_bogon(text: str) -> bool:
    """Whether no public server can have it: private, shared, link-local or reserved."""
    one = parse_ip(text)
    return one is not None and any(one in net for net in _BOGONS if net.version == one.version)


def is_ordinary(text: str) -> bool:
    """Whether a public server could have it."""
    return parse_ip(text) is not None and not (is_null(text) or is_loopback_ip(text) or is_bogon(text))


def is_nat64(text: str) -> bool:
    """Whether it was synthesized with the well-known prefix (RFC 6052)."""
    one = parse_ip(text)
    return isinstance(one, IPv6Address) and one in _NAT64
