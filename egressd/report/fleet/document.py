"""Many sites as JSON, `egressd.fleet/1`; `fleet-1.schema.json` is generated from these types."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from egressd import __version__
from egressd.fleet.values import FleetReport, FleetRow, FleetVerdict, SiteState
from egressd.model.observation import Timestamp
from egressd.report.fleet.conclusion import conclude_fleet, fleet_exit_code
from egressd.report.pieces import pretty_pieces

FLEET_SCHEMA: Literal["egressd.fleet/1"] = "egressd.fleet/1"


class FleetSummary(Struct, frozen=True, kw_only=True):
    """The fleet in short."""

    sites: int
    silent: int
    places: int
    failing: int
    """Places that fail at a site or more."""
    conclusion: str
    exit_code: int


class SiteEntry(Struct, frozen=True, kw_only=True):
    """What is known of a site besides its results, which are in `rows`."""

    site: str
    hosts: tuple[str, ...]
    """The hosts that report for it, by name."""
    origin: str
    """Where this is from: names of files, or `prometheus`."""
    seen: Timestamp | None
    """When it was last heard of; null: never."""
    silent_since: Timestamp | None
    """When it was last heard of, where it should have been since; null: it reports."""
    interval_seconds: float | None
    clock_offset_seconds: float | None
    targets: int
    """How many results of it are known."""
    failing: int
    notes: tuple[str, ...]


class FleetDocument(Struct, frozen=True, kw_only=True):
    """Many sites, judged with each other as controls."""

    schema: Literal["egressd.fleet/1"]
    egressd: str
    """The version that wrote it."""
    at: Timestamp
    """The time that it is about."""
    summary: FleetSummary
    verdicts: tuple[FleetVerdict, ...]
    sites: tuple[SiteEntry, ...]
    rows: tuple[FleetRow, ...]


def render_fleet_json(report: FleetReport) -> str:
    """Render a fleet as JSON text."""
    return b"".join(pretty_pieces(fleet_document(report))).decode()


def fleet_document(report: FleetReport) -> FleetDocument:
    """Return a fleet as its document."""
    return FleetDocument(
        schema=FLEET_SCHEMA,
        egressd=__version__,
        at=report.at,
        summary=FleetSummary(
            sites=len(report.sites),
            silent=sum(one.silent_since is not None for one in report.sites),
            places=len(report.rows),
            failing=sum(any(one.fails for one in row.cells.values()) for row in report.rows),
            conclusion=conclude_fleet(report),
            exit_code=fleet_exit_code(report).value,
        ),
        verdicts=report.verdicts,
        sites=tuple(_site(one, report) for one in report.sites),
        rows=report.rows,
    )


def _site(one: SiteState, report: FleetReport) -> SiteEntry:
    cells = [row.cells[one.site] for row in report.rows if one.site in row.cells]
    return SiteEntry(
        site=one.site,
        hosts=one.hosts,
        origin=one.origin,
        seen=one.seen,
        silent_since=one.silent_since,
        interval_seconds=one.interval_seconds,
        clock_offset_seconds=one.clock_offset_seconds,
        targets=len(one.targets),
        failing=sum(cell.fails for cell in cells),
        notes=one.notes,
    )
