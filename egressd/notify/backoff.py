"""How long to wait before a delivery is tried again. Pure: chance is given."""

from __future__ import annotations

FIRST = 1.0
"""Seconds before the second attempt; they double from one attempt to the next."""
LONGEST = 300.0
LONGEST_ASKED = 3600.0
"""What a server may ask for at most (`Retry-After`): it must not silence us for a day."""


def pause(failures: int, *, asked: float | None, chance: float) -> float:
    """Return the seconds to wait after so many failures in a row, 1 or more.

    `asked` is what the server wants, which is never undercut within reason; `chance`, from 0 up to 1,
    spreads those that failed together over the second half of the time.
    """
    grown = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    own = grown * (0.5 + chance / 2)
    return own if asked is None else max(own, min(asked, LONGEST_ASKED))
