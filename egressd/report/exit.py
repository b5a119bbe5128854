"""What a sweep tells the calling process."""

from __future__ import annotations

from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.verdict import Outcome, Sweep
from egressd.report.summary import outcomes_of


def exit_code(sweep: Sweep) -> ExitCode:
    """Decide by required targets alone; what is optional or conditional never fails a sweep."""
    if sweep.recording.interrupted:
        return ExitCode.INTERRUPTED
    outcomes = required_outcomes(sweep)
    if any(one in (Outcome.BLOCKED, Outcome.DOWN) for one in outcomes):
        return ExitCode.FAILED
    if any(one is Outcome.UNKNOWN for one in outcomes) or not sweep.verdicts:
        return ExitCode.UNKNOWN  # a sweep of nothing proves nothing
    return ExitCode.OK


def required_outcomes(sweep: Sweep) -> tuple[Outcome, ...]:
    """Return the outcomes of the required targets, in the plan's order."""
    outcomes = outcomes_of(sweep)
    return tuple(outcomes[one.id] for one in sweep.recording.plan.targets if one.need is Need.REQUIRED)
