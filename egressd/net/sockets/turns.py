"""Turns: what one connection may use of the event loop before others run.

A read of a socket that has data returns without waiting, and so do a hundred thousand such reads: a peer that
sends faster than its bytes are parsed would stop every timer, signal and other connection.

Use is CPU time: what other programs take of a busy machine is nobody's use.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from weakref import WeakKeyDictionary

from egressd.clock import cpu_seconds

TURN_SECONDS = 0.002
"""What a connection may use without waiting for its peer."""
ROUND_SECONDS = 0.010
"""What all connections may use of one iteration of the loop, before those that come wait for the next one."""
TURNS_PER_ROUND = 5
"""Connections that waited and are served in one iteration."""


class LoopTurn:
    """The use that one connection makes of the loop. A step of parsing between two calls must be short."""

    __slots__ = ("_admitted", "_queue", "_since", "_used")

    def __init__(self) -> None:
        self._queue: _TurnQueue | None = None
        """Of the loop that the connection runs in; None until its first turn."""
        self._since = cpu_seconds()
        self._used = 0.0
        self._admitted = False
        """Whether it was let into a round since it waited: then only its own turn ends."""

    def pause(self) -> None:
        """Note that the connection is about to wait for its peer."""
        self._used += cpu_seconds() - self._since

    def resume(self) -> None:
        """Note that the connection has waited: others ran meanwhile."""
        self._begin(admitted=False)

    async def share(self) -> None:
        """Let others run, where this connection has used its turn, or comes when the round is used."""
        now = cpu_seconds()
        if now - self._since < TURN_SECONDS and (self._admitted or not self._turns().round_is_over(now)):
            self._admitted = True
            return
        self.pause()
        await self._turns().wait(self._used)
        self._begin(admitted=True)

    def _begin(self, *, admitted: bool) -> None:
        self._admitted = admitted
        self._since = cpu_seconds()
        self._turns().note_use(self._since)

    def _turns(self) -> _TurnQueue:
        if self._queue is None:
            self._queue = _queue_of(asyncio.get_running_loop())
        return self._queue


class _TurnQueue:
    """The connections of one loop that wait for a turn; each iteration serves a few that used least so far.

    So an iteration stays short however many peers send without end, and a connection that has little to parse
    goes before all of them.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._scheduled = False
        self._round: float | None = None
        """When connections began to use this iteration; None: none has."""

    def note_use(self, now: float) -> None:
        """Begin the round, if this is its first use."""
        if self._round is None:
            self._round = now
            self._schedule()

    def round_is_over(self, now: float) -> bool:
        """Return whether this iteration has been used for long enough."""
        return self._round is not None and now - self._round >= ROUND_SECONDS

    async def wait(self, used: float) -> None:
        """Wait for a turn, behind connections that used less."""
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (used, next(self._numbers), turn))
        self._schedule()
        await turn

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._scheduled = False
        self._round = None
        served = 0
        while self._waiting and served < TURNS_PER_ROUND:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # a timeout cancels those that wait
                turn.set_result(None)
                served += 1
        if self._waiting:
            self._schedule()


_QUEUES: WeakKeyDictionary[asyncio.AbstractEventLoop, _TurnQueue] = WeakKeyDictionary()


def _queue_of(loop: asyncio.AbstractEventLoop) -> _TurnQueue:
    queue = _QUEUES.get(loop)
    if queue is None:
        queue = _QUEUES[loop] = _TurnQueue()
    return queue
