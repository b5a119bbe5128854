"""The current time; all other modules read the clock here."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from egressd.wording import stamp

LEAST_STEP = timedelta(seconds=5)
"""What the clock must be set by to count: less is how it is kept right."""


def now() -> datetime:
    """Return the current time as an aware datetime in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds of the monotonic clock."""
    return time.monotonic()


def elapsed() -> float:
    """Return the seconds of the clock that goes on while the machine is suspended (CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def cpu_seconds() -> float:
    """Return the CPU time that this thread has used, in seconds."""
    return time.thread_time()


def timestamp(moment: datetime | None = None) -> str:
    """Render a time (None: now) as RFC 3339 in UTC with milliseconds."""
    return stamp(now() if moment is None else moment)


class StepWatch:
    """Notices that the clock was set, by the one that nobody sets."""

    def __init__(self) -> None:
        self.began = self._shown = now()
        """When it was read first, by the clock as it is now."""
        self._elapsed = elapsed()

    def read(self) -> tuple[datetime, timedelta]:
        """Return the current time, and what the clock was set by since it was read last."""
        moment, since = now(), elapsed() - self._elapsed
        step = moment - self._shown - timedelta(seconds=since)
        self._shown, self._elapsed = moment, self._elapsed + since
        if abs(step) < LEAST_STEP:
            return moment, timedelta()
        self.began += step
        return moment, step
