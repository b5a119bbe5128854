"""Make a plan from a catalog and settings.

Pure: no I/O, no clock, no randomness; the same inputs give the same plan.
"""

from egressd.planning.plan import calls_needed, make_plan

__all__ = ["calls_needed", "make_plan"]
