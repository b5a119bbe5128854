"""Whether a target comes and goes: the weighted share of changes among its last looks.

The method is that of Nagios: of the last 21 looks the 20 changes between neighbours are weighed, recent
ones more; it begins above one threshold and ends below a lower one.
"""

from __future__ import annotations

from itertools import pairwise

LOOKS = 21
WELL, ILL = "1", "0"
OLDEST, NEWEST = 0.8, 1.2
"""The weights of the oldest and the newest change; those between lie on a line."""


def add_result(looks: str, *, reachable: bool) -> str:
    """Add a look to those that are remembered, the newest last."""
    return (looks + (WELL if reachable else ILL))[-LOOKS:]


def change_share(looks: str) -> float:
    """Return the weighted share of changes in per cent; looks that are not there yet did not change."""
    changes = LOOKS - 1
    step = (NEWEST - OLDEST) / (changes - 1)
    first = changes - (len(looks) - 1)
    weights = (
        OLDEST + step * (first + place) for place, (one, two) in enumerate(pairwise(looks)) if one != two
    )
    return 100 * sum(weights) / changes
