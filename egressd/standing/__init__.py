"""From judged sweeps to standings: what is confirmed of each target and finding.

Rules: pure, no I/O, clock or randomness; the time is an argument. Applying the same sweep twice changes
nothing the second time.
"""

from egressd.standing.advance import advance

__all__ = ["advance"]
