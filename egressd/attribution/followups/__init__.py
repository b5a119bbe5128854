"""Follow-up controls: what to run before judging, where a failure has several explanations.

Where controls are handled:

    planned    base controls        egressd/planning/controls.py
               follow-up controls   egressd/attribution/followups/
    routed     proxy, connect_to    egressd/planning/probes.py
    run        sockets              egressd/probe/controls/
    read       facts                egressd/attribution/control_results/, facts/sweep_index.py
               reason codes         egressd/attribution/rules/, detectors/
"""

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
    planned = chain(failure_controls(index), hello_controls(index), revocation_controls(index))
    return tuple({one.id: one for one in planned if one.id not in done}.values())
