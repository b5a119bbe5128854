"""Wakes the delivery tasks when something was saved."""

from __future__ import annotations

import asyncio

from msgspec import Struct, field


class Wakeup(Struct):
    """Wakes all waiting tasks. Take `next` before looking for work, so that no call is missed."""

    next: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the next call of `wake_all`."""
    closing: bool = False
    """Whether tasks are to try once what is due, and end."""

    def wake_all(self) -> None:
        """Wake the tasks: something has changed."""
        woken, self.next = self.next, asyncio.Event()
        woken.set()

    def close(self) -> None:
        """Ask the tasks to end."""
        self.closing = True
        self.wake_all()


async def wait_for(woken: asyncio.Event, seconds: float | None) -> bool:
    """Wait until woken, or for some seconds; return whether it was woken."""
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return False
    return True
