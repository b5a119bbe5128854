"""The current time; all other modules read the clock here."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from egressd.wording import stamp


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
