"""Many sites as one self-contained HTML file, without scripts, fonts or images."""

from __future__ import annotations

from pathlib import Path

from egressd.errors import ExitCode
from egressd.fleet.values import FleetReport, FleetRow
from egressd.model.verdict import Outcome
from egressd.report.fleet.card import verdict_cards
from egressd.report.fleet.conclusion import conclude_fleet, fleet_counts, fleet_exit_code
from egressd.report.fleet.matrix import MEANINGS, CellState, Column, matrix_of, state_of
from egressd.report.fleet.moments import onset_text, short
from egressd.report.template import page_template

TEMPLATE = Path(__file__).with_name("fleet.html")
MOST_COLUMNS = 60
"""Sites with a column of their own; more of them are grouped by what they have in common."""
_MARKS = {
    CellState.OK: "ok",
    CellState.DEGRADED: "~",
    CellState.FAILS: "✕",
    CellState.SPARED: "(✕)",
    CellState.UNKNOWN: "?",
    CellState.ABSENT: "",
}
_CLASSES = {
    CellState.OK: "ok",
    CellState.DEGRADED: "degraded",
    CellState.FAILS: "fails",
    CellState.SPARED: "spared",
    CellState.UNKNOWN: "unknown",
    CellState.ABSENT: "absent",
}


def render_fleet_html(report: FleetReport, *, every_row: bool = False) -> str:
    """Render a fleet; names of sites and hosts, which are others' text, are escaped.

    `every_row` lists the places that are ok at every site, too.
    """
    grouped = len(report.sites) > MOST_COLUMNS
    matrix = matrix_of(report, every_row=every_row, grouped=grouped)
    states = {state for _, rows in matrix.sections for row in rows for state in row.states}
    shown = sum(len(rows) for _, rows in matrix.sections)
    states_of_code = {ExitCode.OK: "good", ExitCode.FAILED: "bad"}
    return (
        page_template(TEMPLATE).render(
            conclusion=conclude_fleet(report),
            state=states_of_code.get(fleet_exit_code(report), "unsure"),
            counts=fleet_counts(report),
            at=short(report.at),
            cards=verdict_cards(report),
            matrix=matrix,
            grouped=grouped,
            silent={one.site for one in report.sites if one.silent_since is not None},
            sites=report.sites,
            fine=len(report.rows) - shown,
            legend=[(_MARKS[one], _CLASSES[one], MEANINGS[one]) for one in CellState if one in states],
            mark=_MARKS.__getitem__,
            kind=_CLASSES.__getitem__,
            about=_about,
            short=short,
        )
        + "\n"
    )


def _about(row: FleetRow, column: Column) -> str:
    """Say what a cell is, for who points at it."""
    cell = row.cells.get(column.sites[0])
    what = MEANINGS[state_of(cell)]
    site = column.sites[0] if len(column.sites) == 1 else f"{len(column.sites)} sites"
    parts = [f"{site}, {row.host}: {what}"]
    if cell is not None and cell.outcome is not Outcome.OK:
        parts += [
            text for text in (cell.reason, f"since {onset_text(cell.onset)}" if cell.onset else "") if text
        ]
    return "; ".join(parts)
