"""Many sites, each a control for the others: what they show together, and whose fault it is."""

from egressd.fleet.judge import judge_fleet
from egressd.fleet.site_state import site_state
from egressd.fleet.values import (
    Fleet,
    FleetReport,
    FleetRow,
    FleetVerdict,
    FleetVerdictKind,
    Onset,
    SiteOnset,
    SiteState,
    SiteTarget,
)

__all__ = [
    "Fleet",
    "FleetReport",
    "FleetRow",
    "FleetVerdict",
    "FleetVerdictKind",
    "Onset",
    "SiteOnset",
    "SiteState",
    "SiteTarget",
    "judge_fleet",
    "site_state",
]
