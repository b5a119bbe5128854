"""Retries with exponential backoff; an unexpected exception in an attempt ends no task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from egressd import clock
from egressd.bugs import report_bug
from egressd.errors import Part
from egressd.notify.result import DeliveryResult

FIRST = 1.0
"""Seconds before the second attempt; they double from one attempt to the next."""
LONGEST = 300.0
"""Seconds between two attempts, where the server asks for none."""
LONGEST_ASKED = 3600.0
"""Seconds a server may ask for at most (`Retry-After`): it must not stop notifications for a day."""
MOST_BUGS = 5
"""Unexpected exceptions in a row after which the notice is given up: the next one may work."""


class Retry(Struct, kw_only=True):
    """How often delivery failed in a row, and when it may be tried again."""

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

    def reset(self) -> None:
        """Start over: a delivery succeeded, or the configuration has changed."""
        self.failures, self._not_before = 0, 0.0

    async def attempt(self, delivery: Awaitable[DeliveryResult], *, receiver: str) -> DeliveryResult:
        """Await a delivery, and note how it ended."""
        result = await self._safely(delivery, receiver)
        if result.ok or not result.retry:
            self.reset()
            return result
        self.failures += 1
        wait = backoff(self.failures, asked=result.retry_after, chance=self.chance())
        wait = wait if result.retry_after is not None else min(wait, self.longest)
        self._not_before = clock.monotonic() + wait
        return result

    async def _safely(self, delivery: Awaitable[DeliveryResult], receiver: str) -> DeliveryResult:
        try:
            return await delivery
        except Exception as error:  # noqa: BLE001 - it is reported
            report_bug(Part.DELIVERY, error, receiver=receiver)
            again = self.failures + 1 < MOST_BUGS
            return DeliveryResult(ok=False, retry=again, why=f"internal error: {type(error).__name__}")


def backoff(failures: int, *, asked: float | None, chance: float) -> float:
    """Return the seconds to wait after so many failures in a row, 1 or more.

    `asked` is the server's `Retry-After`, kept up to `LONGEST_ASKED`; `chance`, from 0 up to 1, spreads those
    that failed together over the second half of the time.
    """
    grown = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    own = grown * (0.5 + chance / 2)
    return own if asked is None else max(own, min(asked, LONGEST_ASKED))
