"""Which hosts bypass the proxy, by the rules of `no_proxy` in the programs that will run there."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from egressd.planning.pattern import pattern_covers
from egressd.planning.placeholder import is_address


def bypass_entry(host: str, port: int, bypass: Iterable[str]) -> str:
    """Return the first entry that matches the host; empty if none does and it goes through the proxy.

    An entry is `*`, a name (itself and everything below it), `.suffix` or `*.suffix` (everything
    below it only), an address, a network, or one of these with `:port`. Names are never looked up: a
    network matches only hosts given as addresses.
    """
    host = host.strip().lower().removesuffix(".")
    entries = (entry.strip() for entry in bypass)
    return next((entry for entry in entries if _entry_matches(entry.lower(), host, port)), "")


def _entry_matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = _split_port(entry)
    if wanted is not None and wanted != port:
        return False
    if is_address(host.strip("[]")):
        return _in_network(name, host)
    if not name.strip("*."):
        return False
    if name.startswith((".", "*.")):
        return pattern_covers("*" + name.removeprefix("*"), host, deep=True)
    return pattern_covers(name, host) or pattern_covers("*." + name, host, deep=True)


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split `host:port` and `[v6]:port`; a bare IPv6 address or network has no port."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    else:
        return entry, None
    return name, int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else None


def _in_network(entry: str, host: str) -> bool:
    try:
        return ip_address(host.strip("[]")) in ip_network(entry, strict=False)
    except ValueError:
        return False
