"""Several tries of one conversation, or two conversations in turn: what happens once may be chance.

Tries start at intervals and do not wait for silent ones, each of which costs a whole timeout. No further one
starts once the result is settled; those under way are awaited, so that every try is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from egressd.model.observation import Observation, TlsObservation
from egressd.model.recording import Trail

Converse = Callable[[], Awaitable[Trail]]
GAP_SECONDS = 0.2
"""Between two tries, where time allows: a burst may have caused the failure."""


def succeeded(trail: Trail) -> bool:
    """Return whether no phase failed."""
    return trail.last is not None and trail.last.failure is None


def answered(trail: Trail) -> bool:
    """Return whether no phase failed, or a ServerHello came: a certificate for another name is an answer."""
    return succeeded(trail) or _is_server_hello(trail.last)


def _is_server_hello(last: Observation | None) -> bool:
    return isinstance(last, TlsObservation) and last.server_hello


async def repeat(converse: Converse, *, tries: int, gap: float) -> tuple[Trail, ...]:
    """Hold a conversation up to `tries` times, until one succeeds."""
    settled = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        begun: list[asyncio.Task[Trail]] = []
        while len(begun) < tries and not settled.is_set():
            begun.append(group.create_task(_until(converse, settled, lambda trail: not succeeded(trail))))
            if len(begun) < tries:
                await _wait(settled, gap)
    return tuple(task.result() for task in begun)


async def take_turns(
    failing: Converse, working: Converse, *, rounds: int, gap: float
) -> tuple[tuple[Trail, ...], tuple[Trail, ...]]:
    """Hold two conversations in turn, as long as the first fails and the second works; return both sides.

    The second is awaited before the next round begins; the first is not, where nothing answers it.
    """
    settled = asyncio.Event()
    worked: list[Trail] = []
    async with asyncio.TaskGroup() as group:
        failed: list[asyncio.Task[Trail]] = []
        while len(failed) < rounds and not settled.is_set():
            failed.append(group.create_task(_until(failing, settled, lambda trail: not answered(trail))))
            await _wait(settled, gap)
            if not settled.is_set():
                worked.append(await _until(working, settled, answered))
    return tuple(task.result() for task in failed), tuple(worked)


async def _until(converse: Converse, settled: asyncio.Event, goes_on: Callable[[Trail], bool]) -> Trail:
    """Hold a conversation; settle the result where its trail is not as expected."""
    trail = await converse()
    if not goes_on(trail):
        settled.set()
    return trail


async def _wait(settled: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await settled.wait()
