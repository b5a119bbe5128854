"""Destinations that a peer names, in a certificate or a redirect: which of them egressd goes to.

A peer must not make this host connect to itself, to its neighbours, or to the metadata service of its cloud.
So only public names and public addresses count, and of the addresses those that DNS gave for the name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from msgspec import Struct

from egressd.wording import bracketed, host_port

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL = 480
"""Characters; the URLs of certificate authorities have fewer than 200."""
_URL_CHARACTERS = re.compile(r"[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
"""What RFC 3986 allows: no space, no control character, nothing outside ASCII."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_TOP_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}", re.IGNORECASE)
_LOCAL_ZONES = frozenset(
    {
        "alt",
        "arpa",
        "corp",
        "home",
        "internal",
        "intranet",
        "invalid",
        "lan",
        "local",
        "localdomain",
        "localhost",
        "mail",
        "onion",
        "private",
    }
)
"""Top-level names that no public resolver serves (RFC 6761, RFC 6762, RFC 8375, and ICANN's reservations)."""
_LOOPBACK_NAMES = frozenset({"localhost", "localdomain"})
_PLATFORM = frozenset({IPv4Address("168.63.129.16")})
"""Addresses that look public and lead to the platform of the host: Azure's WireServer."""
_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("fc00::/7"),
)
"""Where an operator's own servers are (RFC 1918, RFC 4193)."""
_METADATA = (IPv6Network("fd00:ec2::/32"), IPv6Network("fd20:ce::/32"))
"""Metadata services inside the private range of IPv6: of AWS and of Google."""
_RESERVED = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("3fff::/20"),
)
"""Networks without servers that some Pythons take for global (RFC 6890, RFC 7526, RFC 9637)."""
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL6 = IPv6Network("2000::/3")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of an interface identifier that holds an IPv4 address (RFC 5214)."""


class Destination(Struct, frozen=True, kw_only=True):
    """A URL that egressd goes to."""

    scheme: str
    host: str
    """In lower case."""
    port: int
    path: str
    """With the query."""

    @property
    def url(self) -> str:
        """The whole URL."""
        usual = self.port == DEFAULT_PORTS[self.scheme]
        return (
            f"{self.scheme}://{bracketed(self.host) if usual else host_port(self.host, self.port)}{self.path}"
        )


def parse_destination(
    url: str, *, schemes: Collection[str], private: bool = False, public_networks: Iterable[str] = ()
) -> Destination | None:
    """Parse a URL that a peer chose; None where egressd does not go there.

    The port must be that of the scheme. `private` also admits names and addresses of the operator's network.
    """
    if len(url) > MAX_URL or _URL_CHARACTERS.fullmatch(url) is None:
        return None
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in schemes or "@" in parts.netloc or port not in (None, DEFAULT_PORTS[scheme]):
        return None
    if not _is_admitted(host, private=private, public_networks=public_networks):
        return None
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return Destination(scheme=scheme, host=host, port=DEFAULT_PORTS[scheme], path=path)


def _is_admitted(host: str, *, private: bool, public_networks: Iterable[str]) -> bool:
    if ":" in host or _ends_in_number(host):
        return is_admitted_address(host, private=private, public_networks=public_networks)
    labels = host.removesuffix(".").split(".")
    if not all(_LABEL.fullmatch(one) for one in labels) or len(host) > 253 or labels[-1] in _LOOPBACK_NAMES:
        return False
    public = len(labels) > 1 and _TOP_LABEL.fullmatch(labels[-1]) and labels[-1] not in _LOCAL_ZONES
    return bool(public) or private


def _ends_in_number(host: str) -> bool:
    """Return whether programs read a host as an IPv4 address: `127.1`, `2130706433` and `0x7f.1` as well."""
    last = host.removesuffix(".").rpartition(".")[2]
    return last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) is not None


def is_admitted_address(text: str, *, private: bool = False, public_networks: Iterable[str] = ()) -> bool:
    """Return whether egressd goes to an address because a peer named it, or a name that leads there.

    `public_networks` are reserved networks that count as public: a laboratory's Internet.
    """
    try:
        one = ip_address(text)
    except ValueError:
        return False
    if isinstance(one, IPv6Address):
        if one.scope_id is not None:
            return False
        one = one.ipv4_mapped or (_last_32_bits(one) if one in _NAT64 else one)
    if _is_in(one, map(ip_network, public_networks)):
        return True
    if private and _is_in(one, _PRIVATE):
        return not _is_in(one, _METADATA)
    return _is_public(one)


def _is_public(one: IPv4Address | IPv6Address) -> bool:
    if one in _PLATFORM or one.is_multicast or not one.is_global or _is_in(one, _RESERVED):
        return False
    if isinstance(one, IPv4Address):
        return True
    tunnelled = one.sixtofour or (int(one) >> 32) & 0xFFFFFFFF in _ISATAP
    return one in _GLOBAL6 and not tunnelled


def _is_in(one: IPv4Address | IPv6Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(one.version == network.version and one in network for network in networks)


def _last_32_bits(one: IPv6Address) -> IPv4Address:
    return IPv4Address(int(one) & 0xFFFFFFFF)
