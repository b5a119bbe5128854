"""Bounds of the text kept from a verdict: it is stored for months, and part of it comes from the network."""

from __future__ import annotations

from collections.abc import Iterable

MOST_LINES = 6
LONGEST_LINE = 480
MOST_TARGETS = 2000


def shorten(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the first lines of evidence, each cut to the length of a log line."""
    return tuple(line[:LONGEST_LINE] for line in tuple(lines)[:MOST_LINES])
