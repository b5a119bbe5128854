"""How long things may take: one deadline, and a share of it for each phase."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from egressd.clock import monotonic

START_WINDOW = 0.05
"""The share of a probe's deadline in which every probe of a sweep must have started."""
LONGEST_PATIENCE = 0.25
"""Seconds a probe keeps its slot while it may merely be waiting for silence."""


@dataclass(frozen=True, slots=True)
class Deadline:
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
    """How many probes may be busy at once.

    A probe that has been at it for `patience` seconds gives its slot back and goes on: by then it is
    waiting for the network, not working. So `concurrency` bounds the load, and a thousand silent
    targets still end together.
    """

    def __init__(self, concurrency: int, *, probes: int, deadline: float) -> None:
        self._free = asyncio.Semaphore(concurrency)
        window = START_WINDOW * deadline
        self._patience = min(LONGEST_PATIENCE, window * concurrency / max(1, probes))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot; hold it until the end, or until patience ends."""
        await self._free.acquire()
        held = [True]

        def give_back() -> None:
            if held:
                held.clear()
                self._free.release()

        parked = asyncio.get_running_loop().call_later(self._patience, give_back)
        try:
            yield
        finally:
            parked.cancel()
            give_back()


async def run_until(
    stop: asyncio.Event, work: Iterable[Coroutine[object, object, None]], *, seconds: float | None
) -> bool:
    """Run tasks side by side until they are done, time is over, or `stop` is set.

    Returns whether all of them came to their end; the rest is cancelled.
    """
    try:
        async with asyncio.timeout(seconds) as limit, asyncio.TaskGroup() as outer:
            watcher = outer.create_task(_watch(stop, limit))
            async with asyncio.TaskGroup() as group:
                for one in work:
                    group.create_task(one)
            watcher.cancel()
    except TimeoutError:
        return False
    return True


async def _watch(stop: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time())
