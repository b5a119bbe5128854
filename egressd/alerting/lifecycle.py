"""The states of an alert as a transition table, and how long each condition must hold before it fires."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from egressd.model.alert import AlertName, AlertState, Condition
from egressd.model.notification import Severity

PENDING, FIRING, SUPPRESSED, RESOLVING, RESOLVED = AlertState
CRITICAL, WARNING, INFO = Severity


class AlertSignal(StrEnum):
    """What one evaluation means for an alert."""

    HOLDS_BRIEFLY = "holds_briefly"
    """Its condition holds, for less than `hold_seconds`."""
    HOLDS = "holds"
    """Its condition holds, for long enough."""
    SUPPRESSED = "suppressed"
    """Its condition holds; another alert or a silence suppresses it."""
    CLEARING = "clearing"
    """Its condition is gone, but may return: it flaps, or other alerts must fire first."""
    CLEARED = "cleared"
    """Its condition is gone."""


_OPEN: Mapping[AlertSignal, AlertState | None] = {
    AlertSignal.HOLDS_BRIEFLY: FIRING,
    AlertSignal.HOLDS: FIRING,
    AlertSignal.SUPPRESSED: SUPPRESSED,
    AlertSignal.CLEARING: RESOLVING,
    AlertSignal.CLEARED: RESOLVED,
}
# The next state by state and signal; None: the alert is forgotten, for it was never notified.
TRANSITIONS: Mapping[AlertState, Mapping[AlertSignal, AlertState | None]] = {
    PENDING: {
        AlertSignal.HOLDS_BRIEFLY: PENDING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: PENDING,
        AlertSignal.CLEARING: None,
        AlertSignal.CLEARED: None,
    },
    FIRING: _OPEN,
    SUPPRESSED: _OPEN,
    RESOLVING: _OPEN,
    RESOLVED: {
        AlertSignal.HOLDS_BRIEFLY: PENDING,
        AlertSignal.HOLDS: FIRING,
        AlertSignal.SUPPRESSED: PENDING,
        AlertSignal.CLEARING: RESOLVED,
        AlertSignal.CLEARED: RESOLVED,
    },
}

MINUTE = 60.0
# Seconds a condition must hold before its alert fires (`for` of a Prometheus rule). Urgent conditions were
# confirmed by several probes already and fire at once. The Prometheus rules wait as long, or longer.
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
    (AlertName.STATE_NOT_KEPT, WARNING): 10 * MINUTE,
}


def next_alert_state(state: AlertState, signal: AlertSignal) -> AlertState | None:
    """Return the state after an evaluation; None: the alert is forgotten."""
    return TRANSITIONS[state][signal]


def hold_seconds(condition: Condition) -> float:
    """Return the seconds a condition must hold before its alert fires."""
    return HOLD_SECONDS[condition.alertname, condition.severity]
