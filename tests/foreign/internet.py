"""Ordinary public addresses and zones on the map of `tests/net/topology.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.net.topology import SERVER, SERVER6, Network

PUBLIC = "62.80.0.0/16"
"""The server's; no range with a meaning of its own, as those for documentation have."""
PUBLIC6 = "2a0f:f0c:80"
"""The first 48 bits of the same."""


def add_public_addresses(network: Network) -> None:
    """Make every address of `PUBLIC` and `PUBLIC6` the server's own."""
    network.router.ip("route", "add", PUBLIC, "via", SERVER)
    network.server.ip("route", "add", "local", PUBLIC, "dev", "lo")
    network.router.ip("-6", "route", "add", f"{PUBLIC6}::/48", "via", SERVER6)
    network.server.ip("-6", "route", "add", "local", f"{PUBLIC6}::/48", "dev", "lo")


def zone_options(zones: Mapping[str, Iterable[str]]) -> list[str]:
    """Return options for unbound: zones with their records, each with the SOA that denials need.

    The empty name is the root's: names in no zone are then denied, as on the Internet.
    """
    lines = []
    for zone, records in zones.items():
        soa = f"{zone}. 300 IN SOA ns.nic.example. hostmaster.nic.example. 7 3600 900 86400 300"
        lines += [f'local-zone: "{zone}." static', f'local-data: "{soa}"']
        lines += [f"local-data: '{one}'" for one in records]
    return lines
