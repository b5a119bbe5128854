"""The states of a target as a transition table: one lost packet changes no belief."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from egressd.model.standing import Lifecycle

OK, SUSPECT, FAILING, RECOVERING, FLAPPING, SILENCED = Lifecycle


class Thresholds(Struct, frozen=True, kw_only=True):
    """Consecutive results that confirm a change."""

    explicit: int = 2
    """Of a failure with an answer: a reset, an ICMP error, a block page, NXDOMAIN."""
    silent: int = 3
    """Of a failure without an answer, which packet loss causes as well."""
    better: int = 2
    """Of a recovery."""


class TargetSignal(StrEnum):
    """What one more result means for the state."""

    GOOD = "good"
    """Reachable; a recovery is not confirmed by it."""
    BAD = "bad"
    """Unreachable; a failure is not confirmed by it."""
    RECOVERED = "recovered"
    """Reachable, often enough."""
    FAILED = "failed"
    """Unreachable, often enough."""
    UNSTABLE = "unstable"
    """Changes too often to confirm either."""
    STABLE_UP = "stable_up"
    """Not flapping or not silenced any more, and believed reachable."""
    STABLE_DOWN = "stable_down"
    """The same, and believed unreachable."""
    SILENCED = "silenced"
    """Covered by a silence."""


_HELD = {
    TargetSignal.UNSTABLE: FLAPPING,
    TargetSignal.STABLE_UP: OK,
    TargetSignal.STABLE_DOWN: FAILING,
    TargetSignal.SILENCED: SILENCED,
}
_CONFIRMED = {
    TargetSignal.RECOVERED: OK,
    TargetSignal.FAILED: FAILING,
    TargetSignal.UNSTABLE: FLAPPING,
    TargetSignal.SILENCED: SILENCED,
}
# The next state by state and by the signals that are possible in it.
TRANSITIONS: dict[Lifecycle, dict[TargetSignal, Lifecycle]] = {
    OK: {TargetSignal.GOOD: OK, TargetSignal.BAD: SUSPECT, **_CONFIRMED},
    SUSPECT: {TargetSignal.GOOD: OK, TargetSignal.BAD: SUSPECT, **_CONFIRMED},
    FAILING: {TargetSignal.GOOD: RECOVERING, TargetSignal.BAD: FAILING, **_CONFIRMED},
    RECOVERING: {TargetSignal.GOOD: RECOVERING, TargetSignal.BAD: FAILING, **_CONFIRMED},
    FLAPPING: _HELD,
    SILENCED: _HELD,
}


def next_target_state(state: Lifecycle, signal: TargetSignal) -> Lifecycle:
    """Return the state after one more result."""
    return TRANSITIONS[state][signal]
