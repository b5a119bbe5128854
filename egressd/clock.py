"""The only place that asks what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from egressd.wording import stamp


def now() -> datetime:
    """Return the wall-clock time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return seconds of a clock that no one sets."""
    return time.monotonic()


def timestamp(moment: datetime | None = None) -> str:
    """Render a moment (now, if none is given) as RFC 3339 in UTC with milliseconds."""
    return stamp(now() if moment is None else moment)
