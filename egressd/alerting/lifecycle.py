"""The lifecycle of an alert, as a table; and how long each kind must hold before it is told."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from egressd.model.alert import AlertName, AlertState, Condition
from egressd.model.notification import Severity

PENDING, FIRING, SUPPRESSED, RESOLVING, RESOLVED = AlertState
CRITICAL, WARNING, INFO = Severity


class AlertSignal(StrEnum):
    """What one moment means for an alert."""

    HOLDS_BRIEFLY = "young"
    """Its condition holds, but not for long enough to tell."""
    HOLDS = "holds"
    """Its condition holds, for long enough."""
    SUPPRESSED = "suppressed_by"
    """Its condition holds, and something keeps it quiet."""
    CLEARING = "lingers"
    """Its condition is gone, but it is not mended, or not for good."""
    CLEARED = "ends"
    """Its condition is gone, for good."""


# From each state, what each signal leads to; None: it is forgotten, for it was never told.
TRANSITIONS: Mapping[AlertState, Mapping[AlertSignal, AlertState | None]] = {
    PENDING: {
        AlertSignal.HOLDS_BRIEFLY: PENDING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: PENDING,
        AlertSignal.CLEARING: None,
        AlertSignal.CLEARED: None,
    },
    FIRING: {
        AlertSignal.HOLDS_BRIEFLY: FIRING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: SUPPRESSED,
        AlertSignal.CLEARING: RESOLVING,
        AlertSignal.CLEARED: RESOLVED,
    },
    SUPPRESSED: {
        AlertSignal.HOLDS_BRIEFLY: FIRING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: SUPPRESSED,
        AlertSignal.CLEARING: RESOLVING,
        AlertSignal.CLEARED: RESOLVED,
    },
    RESOLVING: {
        AlertSignal.HOLDS_BRIEFLY: FIRING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: SUPPRESSED,
        AlertSignal.CLEARING: RESOLVING,
        AlertSignal.CLEARED: RESOLVED,
    },
    RESOLVED: {
        AlertSignal.HOLDS_BRIEFLY: PENDING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: PENDING,
        AlertSignal.CLEARING: RESOLVED,
        AlertSignal.CLEARED: RESOLVED,
    },
}

MINUTE = 60.0
# Seconds a condition must hold before it is told. What was confirmed look by look is told at once where it
# is urgent; the rest may mend by itself. The Prometheus rules wait as long, or longer.
HOLD_SECONDS: Mapping[tuple[AlertName, Severity], float] = {
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


def next_alert_state(state: AlertState, signal: AlertSignal) -> AlertState | None:
    """Return the state after one more moment; None: nothing is left of it."""
    return TRANSITIONS[state][signal]


def hold_seconds(condition: Condition) -> float:
    """Return the seconds a condition must hold before it is told."""
    return HOLD_SECONDS[condition.alertname, condition.severity]
