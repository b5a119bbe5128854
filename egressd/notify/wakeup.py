"""Waking every delivery task when something was saved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Wakeup:
    """Rings for everybody who waits. Take `next` before looking, so that no ring is missed."""

    next: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the next ring."""
    closing: bool = False
    """Whether it rang for the last time: try what is due once, and go home."""

    def wake_all(self) -> None:
        """Wake everybody up: something has changed."""
        woken, self.next = self.next, asyncio.Event()
        woken.set()

    def close(self) -> None:
        """Ring for the last time."""
        self.closing = True
        self.wake_all()


async def wait_for(woken: asyncio.Event, seconds: float | None) -> bool:
    """Wait for a ring, but not longer than some seconds; return whether it rang."""
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
