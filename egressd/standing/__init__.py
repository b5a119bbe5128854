"""From what a sweep says to what we believe.

Law of the room: pure. No I/O, no clock, no randomness; the time is given. Taking the same sweep in
twice changes nothing the second time.
"""

from egressd.standing.advance import advance

__all__ = ["advance"]
