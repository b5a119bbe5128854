"""Bounds of the text kept from a verdict: it is stored for months, and part of it comes from the network."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from egressd.model.verdict import Suspect

MOST_LINES = 6
LONGEST_LINE = 480
MOST_TARGETS = 2000


def shorten(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the first lines of evidence, each cut to the length of a log line."""
    return tuple(line[:LONGEST_LINE] for line in tuple(lines)[:MOST_LINES])


def shorten_suspects(suspects: Iterable[Suspect]) -> tuple[Suspect, ...] | None:
    """Return the first suspects, each with its text cut to the length of a log line; None: there are none."""
    some = tuple(suspects)[:MOST_LINES]
    return tuple(replace(one, decided_by=one.decided_by[:LONGEST_LINE]) for one in some) or None
