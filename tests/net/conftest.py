"""Fixtures: a network of namespaces for each test, or a skip with the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.net.topology import Network, missing_requirement, remove_leftovers, temporary_network

PROGRAMS = ("nft", "iptables", "sysctl", "nginx", "unbound", "dnsmasq", "haproxy", "squid")


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skip where namespaces or programs are missing; remove what killed runs left."""
    reason = missing_requirement(*PROGRAMS)
    if reason:
        pytest.skip(reason)
    remove_leftovers()


@pytest.fixture
def network(namespaces: None) -> Iterator[Network]:
    """Return client, firewall, router and server, connected and with nothing running."""
    with temporary_network() as one:
        yield one
