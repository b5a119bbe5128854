"""One attempt after the other: what failed is tried again later and later, and a bug ends no task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from egressd import clock
from egressd.notify.backoff import LONGEST, pause
from egressd.notify.delivery import Delivery

MOST_BUGS = 5
"""Failures in a row after which our own bug costs the notice that meets it: the next may do better."""

log = structlog.get_logger("egressd")


@dataclass(slots=True, kw_only=True)
class Attempts:
    """How often it failed in a row, and when it may be tried again."""

    chance: Callable[[], float]
    longest: float = LONGEST
    """The longest wait in seconds, where the server asks for none."""
    failures: int = 0
    _not_before: float = 0.0
    """On the monotonic clock."""

    @property
    def wait(self) -> float:
        """Seconds until the next attempt may be made."""
        return max(0.0, self._not_before - clock.monotonic()) if self.failures else 0.0

    def forget(self) -> None:
        """Begin anew: it was delivered, or the way there is another."""
        self.failures, self._not_before = 0, 0.0

    async def make(self, attempt: Awaitable[Delivery], *, what: str) -> Delivery:
        """Make an attempt, and note how it ended."""
        delivery = await self._safely(attempt, what)
        if delivery.ok or not delivery.retry:
            self.forget()
            return delivery
        self.failures += 1
        wait = pause(self.failures, asked=delivery.after, chance=self.chance())
        wait = wait if delivery.after is not None else min(wait, self.longest)
        self._not_before = clock.monotonic() + wait
        return delivery

    async def _safely(self, attempt: Awaitable[Delivery], what: str) -> Delivery:
        try:
            return await attempt
        except Exception as error:
            log.exception("a bug in a delivery", receiver=what)
            again = self.failures + 1 < MOST_BUGS
            return Delivery(ok=False, retry=again, why=f"internal error: {type(error).__name__}")
