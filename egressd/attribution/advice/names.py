"""Lists of names in sentences: complete, or a number and where the complete list is; never a part of it."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMES = 8
"""More are not read in a sentence."""
WHERE = "each is in the ticket and in the JSON report"
MOST_SHOWN = 4


def listed(names: Iterable[str], noun: str = "hosts") -> str:
    """List names, each once; of more than a sentence holds their number, and where each is to be found."""
    known = list(dict.fromkeys(one for one in names if one))
    return ", ".join(known) if len(known) <= MOST_NAMES else f"{len(known)} {noun} ({WHERE})"


def some_of(names: Iterable[str]) -> str:
    """Show the first of names that nobody acts on, and how many there are: `a, b, c, d, ... (30 names)`."""
    known = [one for one in names if one]
    shown = ", ".join(known[:MOST_SHOWN])
    return f"{shown}, ... ({len(known)} names)" if len(known) > MOST_SHOWN else shown
