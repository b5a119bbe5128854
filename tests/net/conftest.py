"""Fixtures: a network of its own for each test. Skipped, saying why, where it can't be had."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.net.topology import Network, made, refusal, remove_leftovers

PROGRAMS = ("nft", "iptables", "sysctl", "nginx", "unbound", "dnsmasq", "haproxy", "squid")


@pytest.fixture(scope="session")
def namespaces() -> None:
    """Skip where namespaces or the programs to run in them are not there; remove what old runs left."""
    reason = refusal(*PROGRAMS)
    if reason:
        pytest.skip(reason)
    remove_leftovers()


@pytest.fixture
def network(namespaces: None) -> Iterator[Network]:
    """Return client, firewall, router and server, connected and with nothing running."""
    with made() as one:
        yield one
