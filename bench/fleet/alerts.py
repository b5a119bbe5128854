"""What people are told: the alerts of the rules, and what Alertmanager makes of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.fleet.programs import Running

NEVER_TOLD = frozenset({"Watchdog", "EgressFleetExplains"})
"""Alerts that are for Alertmanager or a dead man's switch."""


@dataclass(frozen=True, kw_only=True)
class AlertVolume:
    """The alerts of one event."""

    fired: Mapping[str, int]
    """Alerts that fired at Prometheus, by name."""
    suppressed: Mapping[str, int]
    """Those that Alertmanager holds back, by name."""
    notifications: Mapping[str, int]
    """Notifications that it sent, by their receiver and what they are about."""

    @property
    def pages(self) -> int:
        """Notifications to people."""
        return sum(self.notifications.values())


def alert_volume(running: Running, *, seconds: float) -> AlertVolume:
    """Count what has fired in the last seconds, and what was notified since the start."""
    fired = running.ask(
        f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{seconds:.0f}s]))'
    )
    held = (one for one in running.alerts() if one["status"]["state"] == "suppressed")
    told = (one for one in running.notified() if not NEVER_TOLD.issuperset(one["alerts"]))
    return AlertVolume(
        fired={labels["alertname"]: int(value) for labels, value in fired},
        suppressed=Counter(one["labels"]["alertname"] for one in held),
        notifications=Counter(
            f"{one['receiver']}: {', '.join(sorted(set(one['alerts'])))}"
            for one in told
            if one["status"] == "firing"
        ),
    )
