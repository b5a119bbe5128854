"""IP addresses written as text: hosts that need no lookup."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


@lru_cache(maxsize=4096)
def parse_literal(text: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a text is, `%scope` included; None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
