"""The hop at which a failure begins: the same SYN, then the same ClientHello, with a rising hop limit (TTL).

No privilege is needed: the routers' ICMP errors come by the socket's error queue (IP_RECVERR, ip(7)).
At most `MAX_HOPS` hops are tried, `PARALLEL_HOPS` at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from msgspec.structs import replace

from egressd.model.observation import Failure, Observation, TcpObservation
from egressd.model.plan import ControlPlan
from egressd.net.dial import dial
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.net.tls.hello_probe import send_client_hello
from egressd.probe.context import ProbeContext

MAX_HOPS = 24
PARALLEL_HOPS = 6
SECONDS = 1.0
"""For one hop: a router answers at once or not at all."""
USUAL_TTL = 64
FINAL = frozenset({None, Failure.REFUSED, Failure.RESET})
"""Results of a connect that something answered for the target: higher hop limits show nothing new."""

Seen = tuple[Observation, ...]


async def trace_hops(control: ControlPlan, address: str, context: ProbeContext) -> tuple[Seen, ...]:
    """Return the observations at each hop limit, in order; with a host, a ClientHello follows the SYN."""
    source = context.source(control.source)

    async def send_syn(ttl: int) -> Seen:
        observation, stream = await dial(address, control.port, source=source, timeout=SECONDS, ttl=ttl)
        if stream is not None:
            stream.close()
        return (observation,)

    async def send_hello(ttl: int) -> Seen:
        connected, stream = await dial(address, control.port, source=source, timeout=SECONDS)
        connected = replace(connected, ttl=ttl)
        if stream is None:
            return (connected,)
        try:
            stream.set_hop_limit(ttl)
            answered = await send_client_hello(stream, control.host, ClientHelloShape.SMALL, timeout=SECONDS)
        finally:
            stream.set_hop_limit(USUAL_TTL)  # the FIN must reach the target
            stream.close()
        return connected, answered

    syns = await _with_rising_ttl(send_syn, MAX_HOPS, lambda seen: seen[0].failure in FINAL)
    distance = next((_ttl(seen[0]) for seen in syns if seen[0].failure is None), 0)
    if not control.host or not distance:
        return syns
    return (*syns, *await _with_rising_ttl(send_hello, distance, lambda _: False))


async def _with_rising_ttl(
    send: Callable[[int], Coroutine[object, object, Seen]], most: int, is_final: Callable[[Seen], bool]
) -> tuple[Seen, ...]:
    """Send with hop limits from 1 to `most`, a few at a time, until a result is final."""
    found: list[Seen] = []
    for first in range(1, most + 1, PARALLEL_HOPS):
        async with asyncio.TaskGroup() as group:
            ttls = range(first, min(first + PARALLEL_HOPS, most + 1))
            tasks = [group.create_task(send(ttl)) for ttl in ttls]
        found += [task.result() for task in tasks]
        if any(is_final(task.result()) for task in tasks):
            break
    return tuple(found)


def _ttl(seen: Observation) -> int:
    return seen.ttl or 0 if isinstance(seen, TcpObservation) else 0
