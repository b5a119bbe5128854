"""The limiter bounds work, not waiting; deadlines only shrink."""

from __future__ import annotations

import asyncio

from egressd.clock import monotonic
from egressd.probe.budget import Deadline, Limiter


async def test_limiter_bounds_concurrency() -> None:
    """No more than `concurrency` probes work at once while each ends quickly."""
    limiter = Limiter(3, probes=3, deadline=100.0)
    busy = most = 0

    async def work() -> None:
        nonlocal busy, most
        async with limiter.slot():
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(work())

    assert most == 3
    assert busy == 0


async def test_waiting_probes_release_their_slot() -> None:
    """A hundred probes that only wait end together although the limit is two."""
    limiter = Limiter(2, probes=100, deadline=1.0)

    async def wait() -> None:
        async with limiter.slot():
            await asyncio.sleep(0.3)

    began = monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(wait())

    assert monotonic() - began < 100 / 2 * 0.3 / 10


async def test_slot_is_released_once() -> None:
    """After timer and end, the semaphore has its initial value."""
    limiter = Limiter(1, probes=1, deadline=0.2)
    async with limiter.slot():
        await asyncio.sleep(0.05)
    entered: list[int] = []

    async def hold(number: int) -> None:
        async with limiter.slot():
            entered.append(number)
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as group:
        group.create_task(hold(1))
        group.create_task(hold(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first = list(entered)

    assert first == [1]
    assert entered == [1, 2]


def test_deadline() -> None:
    """A phase gets its share, or the rest, or zero; never a negative time."""
    assert Deadline.after(10).left(2.0) == 2.0
    assert 0.0 < Deadline.after(1).left(2.0) <= 1.0
    assert Deadline.after(-5).left(2.0) == 0.0
