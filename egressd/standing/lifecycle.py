"""The lifecycle of a target, as a table: no belief changes on one look, none flaps on a lost packet."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from egressd.model.standing import Lifecycle

OK, SUSPECT, FAILING, RECOVERING, FLAPPING, MAINTENANCE = Lifecycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many looks in a row it takes to believe something else."""

    explicit: int = 2
    """That it fails, where somebody said so: a reset, an ICMP error, a block page, NXDOMAIN."""
    silent: int = 3
    """That it fails, where nobody answered: loss does that, too."""
    better: int = 2
    """That it can be reached again."""


class Signal(StrEnum):
    """What one more look means for the state."""

    GOOD = "good"
    """It was reachable; where it is believed to fail, that is not enough yet."""
    BAD = "bad"
    """It was not; where it is believed well, that is not enough yet."""
    MENDED = "mended"
    """It was reachable, often enough."""
    BROKEN = "broken"
    """It was not, often enough."""
    FLUTTERS = "flutters"
    """It changes too often to believe either."""
    CALM_WELL = "calm_well"
    """It stopped fluttering, or maintenance is over, and it is believed reachable."""
    CALM_ILL = "calm_ill"
    """The same, and it is not."""
    COVERED = "covered"
    """A maintenance window covers it."""


_APART = {
    Signal.FLUTTERS: FLAPPING,
    Signal.CALM_WELL: OK,
    Signal.CALM_ILL: FAILING,
    Signal.COVERED: MAINTENANCE,
}
_ENOUGH = {
    Signal.MENDED: OK,
    Signal.BROKEN: FAILING,
    Signal.FLUTTERS: FLAPPING,
    Signal.COVERED: MAINTENANCE,
}
# From each state, what each signal that can come then leads to.
MOVES: dict[Lifecycle, dict[Signal, Lifecycle]] = {
    OK: {Signal.GOOD: OK, Signal.BAD: SUSPECT, **_ENOUGH},
    SUSPECT: {Signal.GOOD: OK, Signal.BAD: SUSPECT, **_ENOUGH},
    FAILING: {Signal.GOOD: RECOVERING, Signal.BAD: FAILING, **_ENOUGH},
    RECOVERING: {Signal.GOOD: RECOVERING, Signal.BAD: FAILING, **_ENOUGH},
    FLAPPING: _APART,
    MAINTENANCE: _APART,
}


def move(state: Lifecycle, signal: Signal) -> Lifecycle:
    """Return the state after one more look."""
    return MOVES[state][signal]
