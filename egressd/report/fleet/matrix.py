"""The matrix of a fleet: places by sites, sites that look alike as one column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import count as numbers

from msgspec import Struct

from egressd.fleet.values import FleetReport, FleetRow, SiteTarget
from egressd.model.verdict import Outcome
from egressd.report.fleet.moments import since_text
from egressd.wording import host_port, name_first

MOST_CAUSES = 4
"""Causes of one place that are named."""
MOST_KEYS = 6
"""Columns that are named with a cause."""


class CellState(StrEnum):
    """What a place is at a site, in a word that fits a narrow column."""

    OK = "ok"
    DEGRADED = "degr"
    FAILS = "FAIL"
    SPARED = "n/n"
    """It fails, and is not needed: an alternative of it works."""
    UNKNOWN = "?"
    ABSENT = "-"
    """The site does not have it."""


MEANINGS = {
    CellState.OK: "reachable",
    CellState.DEGRADED: "reachable, with a fault",
    CellState.FAILS: "blocked or down",
    CellState.SPARED: "fails and is not needed",
    CellState.UNKNOWN: "not known",
    CellState.ABSENT: "not probed there",
}


class Column(Struct, frozen=True, kw_only=True):
    """Sites that have the same results in every row."""

    key: str
    """A letter, by which rows refer to it."""
    sites: tuple[str, ...]


class MatrixRow(Struct, frozen=True, kw_only=True):
    """A place with its state in every column."""

    place: str
    row: FleetRow
    states: tuple[CellState, ...]
    causes: tuple[str, ...]
    """What fails at which columns, and since when."""


class Matrix(Struct, frozen=True, kw_only=True):
    """The rows by what they have in common."""

    columns: tuple[Column, ...]
    everywhere: tuple[MatrixRow, ...]
    """Failing at every site that has the place."""
    differing: tuple[MatrixRow, ...]
    """Failing at some sites."""
    unsure: tuple[MatrixRow, ...]
    """Failing nowhere, and not ok everywhere."""
    fine: tuple[MatrixRow, ...] = ()
    """Ok everywhere; empty unless they are asked for."""

    @property
    def sections(self) -> tuple[tuple[str, tuple[MatrixRow, ...]], ...]:
        """The rows under headings."""
        named = (
            ("Fails at every site that has it", self.everywhere),
            ("Fails at some sites", self.differing),
            ("Unknown or degraded somewhere", self.unsure),
            ("Reachable everywhere", self.fine),
        )
        return tuple((title, rows) for title, rows in named if rows)


def matrix_of(report: FleetReport, *, every_row: bool, grouped: bool = True) -> Matrix:
    """Return the matrix; `grouped` makes one column of sites with the same results."""
    shown = [row for row in report.rows if every_row or not _is_fine(row)]
    columns = _columns([one.site for one in report.sites], shown, grouped=grouped)
    rows = [_row(one, columns) for one in shown]
    failing = {id(one): [cell.fails for cell in one.row.cells.values()] for one in rows}
    return Matrix(
        columns=columns,
        everywhere=tuple(one for one in rows if all(failing[id(one)])),
        differing=tuple(one for one in rows if any(failing[id(one)]) and not all(failing[id(one)])),
        unsure=tuple(one for one in rows if not any(failing[id(one)]) and not _is_fine(one.row)),
        fine=tuple(one for one in rows if _is_fine(one.row)),
    )


def state_of(cell: SiteTarget | None) -> CellState:
    """Return what a cell is."""
    if cell is None:
        return CellState.ABSENT
    if cell.fails:
        return CellState.SPARED if cell.not_needed else CellState.FAILS
    match cell.outcome:
        case Outcome.OK:
            return CellState.OK
        case Outcome.DEGRADED:
            return CellState.DEGRADED
        case _:
            return CellState.UNKNOWN


def _is_fine(row: FleetRow) -> bool:
    return all(one.outcome is Outcome.OK for one in row.cells.values())


def _columns(sites: Sequence[str], rows: Sequence[FleetRow], *, grouped: bool) -> tuple[Column, ...]:
    """Return the columns, the largest first and then by name; each site alone unless grouped."""
    if not grouped:
        return tuple(Column(key=site, sites=(site,)) for site in sites)
    alike: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for site in sites:
        alike[tuple(_look(row.cells.get(site)) for row in rows)].append(site)
    groups = sorted(alike.values(), key=lambda some: (-len(some), some))
    return tuple(Column(key=key, sites=tuple(some)) for key, some in zip(_letters(), groups, strict=False))


def _look(cell: SiteTarget | None) -> tuple[CellState, str | None]:
    return state_of(cell), cell.reason if cell is not None and not cell.outcome.reachable else None


def _letters() -> Iterator[str]:
    """Yield A to Z, then AA, AB, ..."""
    for number in numbers():
        first, last = divmod(number, 26)
        yield (chr(64 + first) if first else "") + chr(65 + last)


def _row(row: FleetRow, columns: Sequence[Column]) -> MatrixRow:
    return MatrixRow(
        place=place_text(row),
        row=row,
        states=tuple(state_of(row.cells.get(one.sites[0])) for one in columns),
        causes=tuple(_causes(row, columns)),
    )


def place_text(row: FleetRow) -> str:
    """Write a place; the protocol only where the port does not tell it."""
    usual = {443: ("https", "tls", "wss"), 80: ("http",), 53: ("dns",), 123: ("ntp",)}
    named = "" if row.protocol in usual.get(row.port, ("tcp",)) else f" ({row.protocol})"
    return f"{host_port(row.host, row.port)}{named}"


def _causes(row: FleetRow, columns: Sequence[Column]) -> Iterator[str]:
    """Yield what fails where and since when, the cause of the most sites first."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for site, cell in row.cells.items():
        if not cell.outcome.reachable:
            by_reason[cell.reason or cell.outcome.value].append(site)
    order = sorted(by_reason.items(), key=lambda one: (-len(one[1]), one[0]))
    for reason, sites in order[:MOST_CAUSES]:
        where = [one.key for one in columns if not set(sites).isdisjoint(one.sites)]
        everywhere = len(sites) == len(row.cells)
        since = since_text(row.cells[site].onset for site in sites)
        yield "".join(
            (
                reason,
                "" if everywhere else f" at {name_first(where, most=MOST_KEYS)}",
                f" since {since}" if since else "",
            )
        )
    if len(order) > MOST_CAUSES:
        yield f"and {len(order) - MOST_CAUSES} more reasons"
