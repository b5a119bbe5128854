"""The lifecycle of an alert, as a table; and how long each kind must hold before it is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from egressd.model.alert import AlertName, AlertState, Condition
from egressd.model.notification import Severity

PENDING, FIRING, QUIET, FADING, RESOLVED = AlertState
CRITICAL, WARNING, INFO = Severity


class Signal(StrEnum):
    """What one moment means for an alert."""

    YOUNG = "young"
    """Its condition holds, but not for long enough to tell."""
    HOLDS = "holds"
    """Its condition holds, for long enough."""
    HUSHED = "hushed"
    """Its condition holds, and something keeps it quiet."""
    LINGERS = "lingers"
    """Its condition is gone, but it is not mended, or not for good."""
    ENDS = "ends"
    """Its condition is gone, for good."""


# From each state, what each signal leads to; None: it is forgotten, for it was never told.
MOVES: Mapping[AlertState, Mapping[Signal, AlertState | None]] = {
    PENDING: {
        Signal.YOUNG: PENDING,
        Signal.HOLDS: FIRING,
        Signal.HUSHED: PENDING,
        Signal.LINGERS: None,
        Signal.ENDS: None,
    },
    FIRING: {
        Signal.YOUNG: FIRING,
        Signal.HOLDS: FIRING,
        Signal.HUSHED: QUIET,
        Signal.LINGERS: FADING,
        Signal.ENDS: RESOLVED,
    },
    QUIET: {
        Signal.YOUNG: FIRING,
        Signal.HOLDS: FIRING,
        Signal.HUSHED: QUIET,
        Signal.LINGERS: FADING,
        Signal.ENDS: RESOLVED,
    },
    FADING: {
        Signal.YOUNG: FIRING,
        Signal.HOLDS: FIRING,
        Signal.HUSHED: QUIET,
        Signal.LINGERS: FADING,
        Signal.ENDS: RESOLVED,
    },
    RESOLVED: {
        Signal.YOUNG: PENDING,
        Signal.HOLDS: FIRING,
        Signal.HUSHED: PENDING,
        Signal.LINGERS: RESOLVED,
        Signal.ENDS: RESOLVED,
    },
}

MINUTE = 60.0
# Seconds a condition must hold before it is told. What was confirmed look by look is told at once where it
# is urgent; the rest may mend by itself. The Prometheus rules wait as long, or longer.
HOLDS_FOR: Mapping[tuple[AlertName, Severity], float] = {
    (AlertName.CAUSE, CRITICAL): 0.0,
    (AlertName.CAUSE, WARNING): 10 * MINUTE,
    (AlertName.UNREACHABLE, CRITICAL): 0.0,
    (AlertName.UNREACHABLE, WARNING): 5 * MINUTE,
    (AlertName.UNREACHABLE, INFO): 15 * MINUTE,
    (AlertName.UNKNOWN, WARNING): 30 * MINUTE,
    (AlertName.DEGRADED, INFO): 60 * MINUTE,
    (AlertName.FLAPPING, WARNING): 0.0,
    (AlertName.INTERCEPTED, WARNING): 15 * MINUTE,
    (AlertName.EXPIRING, WARNING): 60 * MINUTE,
    (AlertName.CLOCK, WARNING): 15 * MINUTE,
    (AlertName.OFFLINE_HALF, WARNING): 10 * MINUTE,
    (AlertName.OFFLINE_NEAR_LIMIT, CRITICAL): 10 * MINUTE,
    (AlertName.RELOAD_FAILED, WARNING): 10 * MINUTE,
    (AlertName.NOTIFICATIONS_FAILING, WARNING): 5 * MINUTE,
}


def move(state: AlertState, signal: Signal) -> AlertState | None:
    """Return the state after one more moment; None: nothing is left of it."""
    return MOVES[state][signal]


def holds_for(condition: Condition) -> float:
    """Return the seconds a condition must hold before it is told."""
    return HOLDS_FOR[condition.fault, condition.severity]
