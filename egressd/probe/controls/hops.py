"""Looking for the hop at which a failure begins: the same SYN, then the same hello, a hop further each time.

No privilege is needed: the ICMP errors of the routers come with the socket's own error queue. Bounded to
`MOST_HOPS` hops, a few at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

from egressd.model.observation import Failure, Observation, TcpObservation
from egressd.model.plan import ControlPlan
from egressd.net.dial import dial
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.net.tls.hello_probe import send_client_hello
from egressd.probe.context import ProbeContext

MOST_HOPS = 24
AT_ONCE = 6
SECONDS = 1.0
"""For one hop: a router answers at once or not at all."""
USUAL_TTL = 64
ENDS = frozenset({None, Failure.REFUSED, Failure.RESET})
"""How a dial ends where somebody spoke for the target: nothing further can be seen beyond."""

Seen = tuple[Observation, ...]


async def trace_hops(control: ControlPlan, address: str, context: ProbeContext) -> tuple[Seen, ...]:
    """Return what was seen at each hop limit, in order; the hello follows where a name is given."""

    async def knock(ttl: int) -> Seen:
        observation, stream = await dial(
            address, control.port, source=context.source(control.source), timeout=SECONDS, ttl=ttl
        )
        if stream is not None:
            stream.close()
        return (observation,)

    async def greet_within(ttl: int) -> Seen:
        return await _greet_within(control, address, context, ttl)

    knocks = await _rising(knock, MOST_HOPS, _ended)
    distance = next((_ttl(one) for one in knocks if _failure(one) is None), 0)
    if not control.host or not distance:
        return knocks
    return (*knocks, *await _rising(greet_within, distance, _never))


async def _rising(
    look: Callable[[int], Coroutine[object, object, Seen]], most: int, ended: Callable[[Seen], bool]
) -> tuple[Seen, ...]:
    """Look at hop limits from 1 on, a few at a time, until one of them shows the end."""
    found: list[Seen] = []
    for first in range(1, most + 1, AT_ONCE):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(look(ttl)) for ttl in range(first, min(first + AT_ONCE, most + 1))]
        found += [task.result() for task in tasks]
        if any(ended(task.result()) for task in tasks):
            break
    return tuple(found)


async def _greet_within(control: ControlPlan, address: str, context: ProbeContext, ttl: int) -> Seen:
    """Dial as usual, then let the hello go so many hops."""
    dialled, stream = await dial(
        address, control.port, source=context.source(control.source), timeout=SECONDS
    )
    dialled = replace(dialled, ttl=ttl)
    if stream is None:
        return (dialled,)
    try:
        stream.set_hop_limit(ttl)
        heard = await send_client_hello(stream, control.host, ClientHelloShape.SMALL, timeout=SECONDS)
    finally:
        stream.set_hop_limit(USUAL_TTL)  # the farewell is to arrive
        stream.close()
    return dialled, heard


def _ended(seen: Seen) -> bool:
    return _failure(seen) in ENDS


def _never(_: Seen) -> bool:
    return False


def _failure(seen: Seen) -> Failure | None:
    return seen[0].failure


def _ttl(seen: Seen) -> int:
    first = seen[0]
    return first.ttl or 0 if isinstance(first, TcpObservation) else 0
