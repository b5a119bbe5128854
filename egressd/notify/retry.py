"""One attempt after the other: what failed is tried again later and later, and a bug ends no task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from egressd import clock
from egressd.notify.result import DeliveryResult

FIRST = 1.0
"""Seconds before the second attempt; they double from one attempt to the next."""
LONGEST = 300.0
LONGEST_ASKED = 3600.0
"""What a server may ask for at most (`Retry-After`): it must not silence us for a day."""
MOST_BUGS = 5
"""Failures in a row after which our own bug costs the notice that meets it: the next may do better."""

log = structlog.get_logger("egressd")


@dataclass(slots=True, kw_only=True)
class Retry:
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
        """Begin anew: it was delivered, or its configuration has changed."""
        self.failures, self._not_before = 0, 0.0

    async def make(self, attempt: Awaitable[DeliveryResult], *, what: str) -> DeliveryResult:
        """Make an attempt, and note how it ended."""
        delivery = await self._safely(attempt, what)
        if delivery.ok or not delivery.retry:
            self.forget()
            return delivery
        self.failures += 1
        wait = backoff(self.failures, asked=delivery.after, chance=self.chance())
        wait = wait if delivery.after is not None else min(wait, self.longest)
        self._not_before = clock.monotonic() + wait
        return delivery

    async def _safely(self, attempt: Awaitable[DeliveryResult], what: str) -> DeliveryResult:
        try:
            return await attempt
        except Exception as error:
            log.exception("a bug in a delivery", receiver=what)
            again = self.failures + 1 < MOST_BUGS
            return DeliveryResult(ok=False, retry=again, why=f"internal error: {type(error).__name__}")


def backoff(failures: int, *, asked: float | None, chance: float) -> float:
    """Return the seconds to wait after so many failures in a row, 1 or more.

    `asked` is what the server wants, which is never undercut within reason; `chance`, from 0 up to 1,
    spreads those that failed together over the second half of the time.
    """
    grown = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    own = grown * (0.5 + chance / 2)
    return own if asked is None else max(own, min(asked, LONGEST_ASKED))
