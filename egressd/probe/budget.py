"""Time limits of probes and sweeps, and the limit on concurrent work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec import Struct

from egressd.clock import monotonic
from egressd.probe.pauses import Pauses

T = TypeVar("T")

START_WINDOW = 0.05
"""The share of a probe's deadline in which every probe of a sweep must have started."""
MAX_SLOT_SECONDS = 0.25
"""Seconds after which a probe is taken to wait for the network, and releases its slot."""


class Deadline(Struct, frozen=True):
    """A point on the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that many seconds from now."""
        return cls(monotonic() + seconds)

    def left(self, share: float) -> float:
        """Return the seconds left, `share` at most, 0 at least."""
        return max(0.0, min(share, self.at - monotonic()))


class Limiter:
    """A limiter of concurrent work that does not count long waits.

    A probe releases its slot after a moment and goes on: by then it waits for the network. So `concurrency`
    bounds the load, and a thousand targets that do not answer still time out together.
    """

    def __init__(self, concurrency: int, *, probes: int, deadline: float) -> None:
        self._free = asyncio.Semaphore(concurrency)
        window = START_WINDOW * deadline
        self._slot_seconds = min(MAX_SLOT_SECONDS, window * concurrency / max(1, probes))

    async def wait(self) -> None:
        """Wait until a slot is free; another may take it."""
        async with self._free:
            pass

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot; hold it until the end of the block, for a moment at most."""
        await self._free.acquire()
        held = [True]

        def release() -> None:
            if held:
                held.clear()
                self._free.release()

        timer = asyncio.get_running_loop().call_later(self._slot_seconds, release)
        try:
            yield
        finally:
            timer.cancel()
            release()


async def run_together(work: Sequence[Coroutine[object, object, T]]) -> list[T]:
    """Run coroutines concurrently, and return their results in order; one alone needs no task of its own."""
    if len(work) == 1:
        return [await work[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]


async def run_until(
    stop: asyncio.Event,
    work: Iterable[Coroutine[object, object, None]],
    *,
    seconds: float | None,
    pauses: Pauses | None = None,
) -> bool:
    """Run tasks concurrently until they are done, `seconds` have passed, or `stop` is set.

    What `pauses` took does not count. Returns whether all of them completed; the rest is cancelled.
    """
    pauses = pauses or Pauses()
    try:
        async with asyncio.timeout(seconds) as limit, asyncio.TaskGroup() as outer:
            watcher = outer.create_task(_end_on_stop(stop, limit))
            async with pauses.extended(limit), asyncio.TaskGroup() as group:
                for one in work:
                    group.create_task(one)
            watcher.cancel()
    except TimeoutError:
        return False
    return True


async def _end_on_stop(stop: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time())
