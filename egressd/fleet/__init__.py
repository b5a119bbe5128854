"""Many sites, each a control for the others: what they show together, and whose fault it is."""

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
]
