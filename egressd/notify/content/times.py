"""Moments and how long things last, for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from egressd.model.observation import Timestamp
from egressd.wording import span


def parse_time(text: Timestamp) -> datetime:
    """Return a timestamp as an aware time in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def format_time(text: Timestamp) -> str:
    """Return a timestamp to the second: `2026-11-21 02:13:05 UTC`."""
    return parse_time(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def format_duration(begin: Timestamp, end: Timestamp) -> str:
    """Return how long it was, in the two largest units: `1 h 4 min`."""
    return span(max(0, round((parse_time(end) - parse_time(begin)) / timedelta(seconds=1))))
