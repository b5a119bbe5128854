"""What failed in a judged sweep, to be probed again. Pure."""

from __future__ import annotations

from egressd.model.endpoint import Need
from egressd.model.plan import ControlKind
from egressd.model.settings import FailedBefore
from egressd.model.verdict import Outcome, Sweep, outcomes_by_pair, spared_in
from egressd.planning.modes.failed_before import cloud_and_region


def failed_before(sweep: Sweep, *, strict: bool) -> FailedBefore:
    """Return what did not work, and the required rows that were not probed.

    What need not work, because an alternative does, has not failed. With `strict`, here or there, required
    targets that were degraded count as failed. What was reached includes the known good hosts of a sweep that
    was itself of what had failed before.
    """
    recording, plan = sweep.recording, sweep.recording.plan
    excused, targets = spared_in(sweep), {one.id: one for one in plan.targets}
    failing = {
        pair[0]
        for pair, outcome in outcomes_by_pair(sweep).items()
        if not outcome.reachable and pair not in excused
    }
    if strict or plan.strict:
        failing |= {
            one.target
            for one in sweep.verdicts
            if one.verdict.outcome is Outcome.DEGRADED and targets[one.target].need is Need.REQUIRED
        }
    unprobed = {one.endpoint for one in plan.unsampled if one.need is Need.REQUIRED and one.feature is None}
    reached = {
        (targets[one.target].host, targets[one.target].port)
        for one in sweep.verdicts
        if one.verdict.outcome.reachable and one.target not in failing
    }
    controls = (one for one in recording.controls if one.kind is ControlKind.KNOWN_GOOD)
    good = {
        (one.host, one.port)
        for one in controls
        if any(trail.last is not None and trail.last.failure is None for trail in one.trails)
    }
    return FailedBefore(
        started=recording.started,
        place=cloud_and_region(plan.cloud, plan.region),
        targets=frozenset(failing),
        unprobed=frozenset(unprobed),
        endpoints=frozenset(unprobed | {targets[one].endpoint for one in failing}),
        worked=frozenset(reached | good),
    )
