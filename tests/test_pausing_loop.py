"""The test event loop counts only the time in which its process ran."""

from __future__ import annotations

import asyncio
import time

import pytest

from egressd import clock
from tests.pausing_loop import TURN, PausingLoop, now


async def test_a_pause_ends_no_timer() -> None:
    """Half a second in which the process did not run is no time on the loop, nor on egressd's clock."""
    assert isinstance(asyncio.get_running_loop(), PausingLoop)
    begun, shown = clock.monotonic(), now()
    async with asyncio.timeout(0.1):
        for _ in range(3):
            time.sleep(0.2)  # noqa: ASYNC251 - the point
            await asyncio.sleep(0)
    assert 0 < clock.monotonic() - begun < 10 * TURN
    assert 0 < (now() - shown).total_seconds() < 10 * TURN


async def test_a_timeout_takes_its_real_time() -> None:
    """A timeout is never shorter than in real time, and ends also where the loop is never idle."""

    async def busy() -> None:
        while True:  # noqa: ASYNC110 - a busy loop is the point
            await asyncio.sleep(0)

    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await busy()
    assert time.monotonic() - begun > 0.19


def test_without_a_loop_time_is_monotonic() -> None:
    """Threads without a running loop get the machine's monotonic time."""
    assert abs(clock.monotonic() - time.monotonic()) < 60
