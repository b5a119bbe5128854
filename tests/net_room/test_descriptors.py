"""The soft limit on descriptors is raised as needed, up to the hard limit."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from egressd.net.sockets.descriptors import RESERVED, allow_descriptors


@pytest.fixture
def low() -> Iterator[tuple[int, int]]:
    """Set the soft limit to 256, and restore it afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield 256, before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_soft_limit_is_raised(low: tuple[int, int]) -> None:
    """It is raised to the number needed, and no further."""
    assert allow_descriptors(500) == 500 + RESERVED
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500 + RESERVED


def test_sufficient_limit_is_kept(low: tuple[int, int]) -> None:
    """Nothing changes where the limit suffices."""
    assert allow_descriptors(10) == low[0]


def test_hard_limit_is_respected(low: tuple[int, int]) -> None:
    """A larger need gets the hard limit, without an error."""
    assert allow_descriptors(1 << 40) <= max(low[1], (1 << 40) + RESERVED)
