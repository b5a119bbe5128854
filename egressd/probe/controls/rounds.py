"""Several tries of one conversation, or two conversations in turn: what happens once may be chance.

Tries start at intervals and do not wait for each other, because each silent one costs a whole timeout. No
further one starts once the result is settled; those under way are awaited, so that every try is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

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
    return tuple(await _staggered([converse] * tries, [lambda trail: not succeeded(trail)] * tries, gap))


async def take_turns(
    failing: Converse, working: Converse, *, rounds: int, gap: float
) -> tuple[tuple[Trail, ...], tuple[Trail, ...]]:
    """Hold two conversations in turn, as long as the first fails and the second works; return both sides.

    Each side has the trails of its own conversation, in their order.
    """
    trails = await _staggered(
        [failing, working] * rounds, [lambda trail: not answered(trail), answered] * rounds, gap
    )
    return tuple(trails[::2]), tuple(trails[1::2])


async def _staggered(
    calls: Sequence[Converse], goes_on: Sequence[Callable[[Trail], bool]], gap: float
) -> list[Trail]:
    """Start calls `gap` seconds apart; start no more after a trail for which its `goes_on` is false."""
    settled = asyncio.Event()

    async def call(number: int) -> Trail:
        trail = await calls[number]()
        if not goes_on[number](trail):
            settled.set()
        return trail

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(call(0))]
        for number in range(1, len(calls)):
            await _wait(settled, gap)
            if settled.is_set():
                break
            tasks.append(group.create_task(call(number)))
    return [task.result() for task in tasks]


async def _wait(settled: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await settled.wait()
