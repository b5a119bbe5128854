"""From a catalog and settings to a plan.

Law of the room: pure. No I/O, no clock, no randomness; the same inputs give the same plan.
"""

from egressd.planning.plan import calls_needed, make_plan

__all__ = ["calls_needed", "make_plan"]
