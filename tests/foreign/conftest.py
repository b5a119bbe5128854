"""Fixtures: the sweep of each foreign suite, or a skip with the reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.net.shared_sweeps import Sweeps, shared_sweeps
from tests.net.topology import missing_requirement, remove_leftovers

PROGRAMS = ("nft", "iptables", "sysctl", "nginx", "unbound", "dnsmasq", "haproxy", "openssl")


@pytest.fixture(scope="session")
def foreign_programs() -> None:
    """Skip where namespaces or programs are missing; remove what killed runs left."""
    reason = missing_requirement(*PROGRAMS)
    if reason:
        pytest.skip(reason)
    remove_leftovers()


@pytest.fixture(scope="session")
def foreign_sweeps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, foreign_programs: None
) -> Iterator[Sweeps]:
    """Return the sweeps of the selected suites."""
    with shared_sweeps(request.session.items, tmp_path_factory.getbasetemp(), "foreign") as every:
        yield every
