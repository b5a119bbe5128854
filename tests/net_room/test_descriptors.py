"""The soft limit on descriptors follows the need, never beyond the hard one."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from egressd.net.sockets.descriptors import SPARE, allow_descriptors


@pytest.fixture
def low() -> Iterator[tuple[int, int]]:
    """Start from a soft limit of 256, and put the old one back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield 256, before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_is_raised_to_the_need(low: tuple[int, int]) -> None:
    """What is needed is asked for, and no more."""
    assert allow_descriptors(500) == 500 + SPARE
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 500 + SPARE


def test_a_limit_that_suffices_is_left_alone(low: tuple[int, int]) -> None:
    """Nothing changes where nothing is needed."""
    assert allow_descriptors(10) == low[0]


def test_the_hard_limit_holds(low: tuple[int, int]) -> None:
    """An impossible need gets what is permitted, without an error."""
    assert allow_descriptors(1 << 40) <= max(low[1], (1 << 40) + SPARE)
