"""Flap detection: the weighted share of changes among the last results of a target.

The method is that of Nagios: the 20 changes between 21 results are weighted, recent ones more. Flapping
begins above one threshold and ends below a lower one.
"""

from __future__ import annotations

from itertools import pairwise

MOST_RESULTS = 21
UP, DOWN = "1", "0"
OLDEST, NEWEST = 0.8, 1.2
"""Weights of the oldest and the newest change; those between are on a line."""


def add_result(results: str, *, reachable: bool) -> str:
    """Append a result to the last ones, the newest last."""
    return (results + (UP if reachable else DOWN))[-MOST_RESULTS:]


def change_share(results: str) -> float:
    """Return the weighted share of changes in per cent; missing results count as unchanged."""
    changes = MOST_RESULTS - 1
    step = (NEWEST - OLDEST) / (changes - 1)
    first = changes - (len(results) - 1)
    weights = (
        OLDEST + step * (first + place) for place, (one, two) in enumerate(pairwise(results)) if one != two
    )
    return 100 * sum(weights) / changes
