"""The lifecycle of a target, as a table: no belief changes on one look, none flaps on a lost packet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from egressd.model.standing import Lifecycle

OK, SUSPECT, FAILING, RECOVERING, FLAPPING, MAINTENANCE = Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """How many looks in a row it takes to believe something else."""

    explicit: int = 2
    """That it fails, where somebody said so: a reset, an ICMP error, a block page, NXDOMAIN."""
    silent: int = 3
    """That it fails, where nobody answered: loss does that, too."""
    better: int = 2
    """That it can be reached again."""


class TargetSignal(StrEnum):
    """What one more look means for the state."""

    GOOD = "good"
    """It was reachable; where it is believed to fail, that is not enough yet."""
    BAD = "bad"
    """It was not; where it is believed well, that is not enough yet."""
    RECOVERED = "recovered"
    """It was reachable, often enough."""
    FAILED = "failed"
    """It was not, often enough."""
    UNSTABLE = "unstable"
    """It changes too often to believe either."""
    STABLE_UP = "stable_up"
    """It stopped fluttering, or maintenance is over, and it is believed reachable."""
    STABLE_DOWN = "stable_down"
    """The same, and it is not."""
    SILENCED = "silenced"
    """A maintenance window covers it."""


_APART = {
    TargetSignal.UNSTABLE: FLAPPING,
    TargetSignal.STABLE_UP: OK,
    TargetSignal.STABLE_DOWN: FAILING,
    TargetSignal.SILENCED: MAINTENANCE,
}
_ENOUGH = {
    TargetSignal.RECOVERED: OK,
    TargetSignal.FAILED: FAILING,
    TargetSignal.UNSTABLE: FLAPPING,
    TargetSignal.SILENCED: MAINTENANCE,
}
# From each state, what each signal that can come then leads to.
TRANSITIONS: dict[Lifecycle, dict[TargetSignal, Lifecycle]] = {
    OK: {TargetSignal.GOOD: OK, TargetSignal.BAD: SUSPECT, **_ENOUGH},
    SUSPECT: {TargetSignal.GOOD: OK, TargetSignal.BAD: SUSPECT, **_ENOUGH},
    FAILING: {TargetSignal.GOOD: RECOVERING, TargetSignal.BAD: FAILING, **_ENOUGH},
    RECOVERING: {TargetSignal.GOOD: RECOVERING, TargetSignal.BAD: FAILING, **_ENOUGH},
    FLAPPING: _APART,
    MAINTENANCE: _APART,
}


def next_target_state(state: Lifecycle, signal: TargetSignal) -> Lifecycle:
    """Return the state after one more look."""
    return TRANSITIONS[state][signal]
