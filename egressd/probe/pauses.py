"""Pauses of this host: stretches in which the event loop did not run, whatever held it.

A process that is stopped, a frozen container, a suspended or migrated machine, and work of our own that holds
the loop all look like silence of the network: timers expire, and peers give up. What was seen then is no
evidence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from msgspec import Struct, field

from egressd import clock
from egressd.log import get_logger
from egressd.model.settings import Limits

TICK = 0.1
"""Seconds between two looks at the clocks."""
LEAST, SHARE = 0.25, 0.25
"""A pause counts from a share of the shortest timeout on, or these seconds."""
STARVED = 0.5
"""The share of a time that many short pauses must take to count as one."""
LATE = 0.05
"""How late a look must be to show a pause at all, in seconds."""
KEPT = 2000
"""Pauses that are remembered."""

log = get_logger(__name__)


class _Reading(Struct, frozen=True):
    """All clocks at one moment, in seconds."""

    monotonic: float
    elapsed: float
    wall: float

    @classmethod
    def now(cls) -> _Reading:
        return cls(clock.monotonic(), clock.elapsed(), clock.now().timestamp())

    def since(self, earlier: _Reading) -> float:
        """Return the longest time that any clock shows: not all of them go on while a machine is held."""
        return max(
            self.monotonic - earlier.monotonic, self.elapsed - earlier.elapsed, self.wall - earlier.wall
        )


class Pauses(Struct):
    """The pauses of this host while `watch` is open."""

    least: float = LEAST
    """The shortest pause that counts, in seconds."""
    ended: float | None = None
    """When the last one ended, by the monotonic clock."""
    _lost: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    """When each pause ended, however short, and the seconds it took."""
    _limits: list[asyncio.Timeout] = field(default_factory=list)
    _last: _Reading | None = None

    @contextmanager
    def watch(self, limits: Limits) -> Iterator[None]:
        """Look at the clocks until the end of the block.

        A timer callback does it: of those that are due after a pause it runs among the first, so that the
        time limits of `extended` have not ended yet.
        """
        timeouts = (limits.dns_timeout, limits.connect_timeout, limits.tls_timeout, limits.http_timeout)
        self.least = max(LEAST, SHARE * min(timeouts))
        self._last = _Reading.now()
        self._tick(asyncio.get_running_loop())
        try:
            yield
        finally:
            self._last = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._last is not None:
            self._look()
            loop.call_later(TICK, self._tick, loop)

    def since(self, begun: float) -> bool:
        """Return whether this host paused after a moment of the monotonic clock, or ran too little since."""
        lost = self.lost(begun)
        paused = self.ended is not None and self.ended > begun
        return paused or lost >= max(self.least, STARVED * (clock.monotonic() - begun))

    def lost(self, begun: float) -> float:
        """Return the seconds since a moment of the monotonic clock in which the event loop did not run."""
        self._look()
        return sum(seconds for end, seconds in self._lost if end > begun)

    @asynccontextmanager
    async def extended(self, limit: asyncio.Timeout) -> AsyncIterator[None]:
        """Put a time limit off by what pauses take, until the end of the block."""
        self._limits.append(limit)
        try:
            yield
        finally:
            self._limits.remove(limit)

    def _look(self) -> None:
        """Note a pause since the last look, if there was one."""
        if self._last is None:
            return
        now, before = _Reading.now(), self._last
        self._last = now
        seconds = now.since(before) - TICK
        if seconds > LATE:
            self._lost.append((now.monotonic, seconds))
        if seconds < self.least:
            return
        log.info("this host paused: what was probed meanwhile is probed again", seconds=round(seconds, 1))
        taken = max(0.0, now.monotonic - before.monotonic - TICK)
        self.ended = now.monotonic
        for limit in self._limits:
            when = limit.when()
            if when is not None and not limit.expired():
                limit.reschedule(when + taken)
