"""Times and durations as text for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from egressd.model.observation import Timestamp
from egressd.wording import span


def parse_timestamp(text: Timestamp) -> datetime:
    """Return a timestamp as an aware time in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(text: Timestamp) -> str:
    """Return a timestamp to the second: `2026-11-21 02:13:05 UTC`."""
    return parse_timestamp(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_elapsed(begin: Timestamp, end: Timestamp) -> str:
    """Return the time between two timestamps in the two largest units: `1 h 4 min`."""
    return span(max(0, round((parse_timestamp(end) - parse_timestamp(begin)) / timedelta(seconds=1))))
