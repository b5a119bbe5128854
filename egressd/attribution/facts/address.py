"""Classes of addresses: unspecified, loopback, private, synthetic, legacy, ordinary.

`public` names networks that count as the Internet although they are reserved: those of a laboratory.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[str, ...]
_Network = IPv4Network | IPv6Network


class AddressKind(StrEnum):
    """What an address can belong to."""

    NULL = "null"
    """The unspecified address, which no host can have."""
    LOOPBACK = "loopback"
    """This host alone."""
    PRIVATE = "private"
    """A private network, this link, or nothing at all."""
    SYNTHETIC = "synthetic"
    """Reserved: no public server can have it. Tunnelling clients give such addresses to names."""
    LEGACY = "legacy"
    """Assigned, and not used for public services: tunnelling clients give such addresses to names, too."""
    ORDINARY = "ordinary"
    """A public server could have it."""


_PRIVATE = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "fe80::/10",
)
_SYNTHETIC = {
    "100.64.0.0/10": "shared address space (RFC 6598)",
    "192.0.0.0/24": "reserved for protocols (RFC 6890)",
    "192.0.2.0/24": "reserved for documentation (RFC 5737)",
    "198.18.0.0/15": "reserved for benchmarks (RFC 2544)",
    "198.51.100.0/24": "reserved for documentation (RFC 5737)",
    "203.0.113.0/24": "reserved for documentation (RFC 5737)",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved (RFC 1112)",
    "100::/64": "the discard prefix (RFC 6666)",
    "2001:2::/48": "reserved for benchmarks (RFC 5180)",
    "2001:db8::/32": "reserved for documentation (RFC 3849)",
    "3fff::/20": "reserved for documentation (RFC 9637)",
    "ff00::/8": "multicast",
}
_DEFENSE = "assigned to the US Department of Defense, which runs no public services there"
_LEGACY = {
    **{f"{first}.0.0.0/8": _DEFENSE for first in (6, 7, 11, 21, 22, 26, 28, 29, 30, 33, 55, 214, 215)},
    "17.18.0.0/16": "what NetScaler's client gives to tunnelled names by default",
    "25.0.0.0/8": "assigned to the UK Ministry of Defence",
}
_NAT64 = IPv6Network("64:ff9b::/96")
_SHARED = IPv4Network("100.64.0.0/10")
NEIGHBOURS = {4: 24, 6: 64}
"""Prefix lengths, by IP version, within which addresses are neighbours."""


def _table(kinds: dict[AddressKind, tuple[str, ...]]) -> tuple[tuple[_Network, AddressKind], ...]:
    return tuple((ip_network(one), kind) for kind, networks in kinds.items() for one in networks)


_KINDS = _table(
    {
        AddressKind.PRIVATE: _PRIVATE,
        AddressKind.SYNTHETIC: tuple(_SYNTHETIC),
        AddressKind.LEGACY: tuple(_LEGACY),
    }
)


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, an IPv4-mapped one as IPv4; None where it is none."""
    try:
        one = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (one.ipv4_mapped or one) if isinstance(one, IPv6Address) else one


@lru_cache(maxsize=4096)
def kind_of_address(text: str, public: Networks = ()) -> AddressKind | None:
    """Return what an address can belong to; None where the text is none."""
    one = parse_ip(text)
    if one is None:
        return None
    if one.is_unspecified:
        return AddressKind.NULL
    if one.is_loopback:
        return AddressKind.LOOPBACK
    if any(_contains(ip_network(network), one) for network in public):
        return AddressKind.ORDINARY
    return next((kind for network, kind in _KINDS if _contains(network, one)), AddressKind.ORDINARY)


def _contains(network: _Network, one: IPv4Address | IPv6Address) -> bool:
    return network.version == one.version and one in network


@lru_cache(maxsize=4096)
def neighbourhood_of(text: str) -> str:
    """Return the network that neighbours of an address share; empty where it is none."""
    one = parse_ip(text)
    return "" if one is None else str(ip_network((one, NEIGHBOURS[one.version]), strict=False))


def is_ordinary(text: str, public: Networks = ()) -> bool:
    """Whether a public server could have it."""
    return kind_of_address(text, public) in (AddressKind.ORDINARY, AddressKind.LEGACY)


def is_shared(text: str) -> bool:
    """Whether it lies in the space that carriers and overlay networks use inside (RFC 6598)."""
    one = parse_ip(text)
    return isinstance(one, IPv4Address) and one in _SHARED


def is_nat64(text: str) -> bool:
    """Whether it was synthesized with the well-known prefix (RFC 6052)."""
    one = parse_ip(text)
    return isinstance(one, IPv6Address) and one in _NAT64
