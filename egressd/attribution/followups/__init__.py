"""Which controls to run before judging: only what an open question needs, and not many."""

from __future__ import annotations

from itertools import chain

from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.followups.failure import PER_PROBE, PER_SWEEP, failure_controls
from egressd.attribution.followups.sampling import hello_controls, revocation_controls
from egressd.model.plan import ControlPlan
from egressd.model.recording import Recording

__all__ = ["PER_PROBE", "PER_SWEEP", "plan_followups"]


def plan_followups(recording: Recording) -> tuple[ControlPlan, ...]:
    """Return the controls that are worth running now; none of those that ran already."""
    index = SweepIndex.build(recording)
    done = {one.id for one in recording.controls}
    asked = chain(failure_controls(index), hello_controls(index), revocation_controls(index))
    return tuple({one.id: one for one in asked if one.id not in done}.values())
