"""Many sites for a terminal: verdicts first, then the places that are not ok somewhere, by groups of sites.

Plain characters, so that it can be pasted into a mail or ticket; what is ok everywhere is a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from egressd.errors import ExitCode
from egressd.fleet.values import FleetReport
from egressd.report.fleet.card import VerdictCard, verdict_cards
from egressd.report.fleet.conclusion import conclude_fleet, fleet_counts, fleet_exit_code
from egressd.report.fleet.matrix import MEANINGS, CellState, Column, MatrixRow, matrix_of
from egressd.report.fleet.moments import short
from egressd.report.text import Style, clean, colourize, fold
from egressd.wording import count, name_first

LEAST_WIDTH = 50
MOST_IN_COLUMN = 10
"""Sites of a column that are named."""
MOST_EVIDENCE = 3
"""Lines of evidence of a verdict."""
_CELL = max(len(one) for one in CellState) + 2
_LEAST_PLACE = 24
_STYLES = {CellState.FAILS: Style.RED, CellState.UNKNOWN: Style.YELLOW, CellState.DEGRADED: Style.YELLOW}
_TONES = {"far": Style.RED, "site": Style.RED, "unsure": Style.YELLOW}


def render_fleet_table(
    report: FleetReport, *, width: int = 80, colour: bool = False, every_row: bool = False
) -> str:
    """Render a fleet; no line is wider than `width`, which is at least 50, but for a long host name."""
    width = max(width, LEAST_WIDTH)
    blocks = [
        _headline(report, width=width, colour=colour),
        *_verdicts(verdict_cards(report), width=width, colour=colour),
        *_matrix(report, width=width, colour=colour, every_row=every_row),
        _silent(report, width=width, colour=colour),
        _notes(report, width=width),
        _conclusion(report, width=width, colour=colour),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _headline(report: FleetReport, *, width: int, colour: bool) -> list[str]:
    lines = fold(fleet_counts(report), width=width)
    origins = {one.origin for one in report.sites}
    origin = "asked of Prometheus" if origins == {"prometheus"} else "from saved reports"
    return [colourize(one, Style.BOLD, colour=colour) for one in lines] + fold(
        f"as of {short(report.at)}, {origin}", width=width
    )


def _verdicts(cards: Sequence[VerdictCard], *, width: int, colour: bool) -> Iterator[list[str]]:
    if cards:
        yield [colourize("VERDICTS", Style.BOLD, colour=colour)]
    for number, one in enumerate(cards, 1):
        yield _verdict(one, number, width=width, colour=colour)


def _verdict(card: VerdictCard, number: int, *, width: int, colour: bool) -> list[str]:
    title = fold(card.title, width=width, first=f"{number:2}. ")
    lines = [colourize(one, _TONES[card.tone], colour=colour) for one in title]
    rows = [("is", f"{card.kind}: {card.meaning}"), *card.facts]
    rows += [("ask", card.ask)] if card.ask else []
    rows += [("decides", one) for one in card.decides]
    rows += [("not", one) for one in card.ruled_out]
    rows += [("seen", one) for one in card.evidence[:MOST_EVIDENCE]]
    left = len(card.evidence) - MOST_EVIDENCE
    rows += [("", f"and {left} more; JSON and HTML have all")] if left > 0 else []
    for name, text in rows:
        lines += fold(text, width=width, first=f"    {name:8}")
    return lines


def _matrix(report: FleetReport, *, width: int, colour: bool, every_row: bool) -> Iterator[list[str]]:
    found = matrix_of(report, every_row=every_row)
    if not found.sections:
        return
    yield list(_legend(found.columns, width=width))
    for title, rows in found.sections:
        heading = [colourize(title.upper(), Style.BOLD, colour=colour)]
        for columns in _bands(len(found.columns), width):
            yield [*heading, *_band(rows, found.columns, columns, width=width, colour=colour)]
            heading = []
    shown = {state for _, rows in found.sections for row in rows for state in row.states}
    text = "; ".join(f"{one} {MEANINGS[one]}" for one in CellState if one in shown)
    yield fold(text, width=width)


def _legend(columns: Sequence[Column], *, width: int) -> Iterator[str]:
    for one in columns:
        names = name_first(one.sites, most=MOST_IN_COLUMN)
        text = names if len(one.sites) == 1 else f"{count(len(one.sites), 'site')}: {names}"
        yield from fold(text, width=width, first=f"  {one.key:3}")


def _bands(columns: int, width: int) -> Iterator[range]:
    """Yield the columns that stand beside each other: as many as the width holds."""
    most = max((width - _LEAST_PLACE - 2) // _CELL, 1)
    for first in range(0, columns, most):
        yield range(first, min(first + most, columns))


def _band(
    rows: Sequence[MatrixRow], columns: Sequence[Column], shown: range, *, width: int, colour: bool
) -> Iterator[str]:
    """Yield the lines of some columns; what fails and since when stands under the first of them."""
    room = max(width - 2 - _CELL * len(shown), _LEAST_PLACE)
    space = min(room, max((len(clean(one.place)) for one in rows), default=0))
    if len(columns) > 1:
        yield " " * (space + 2) + "".join(f"  {columns[one].key:<{_CELL - 2}}" for one in shown).rstrip()
    for row in rows:
        place = f"  {clean(row.place)}"
        if len(place) > space + 2:
            yield place
            place = ""
        cells = "".join(_cell(row.states[one], colour=colour) for one in shown).rstrip()
        yield f"{place:<{space + 2}}{cells}"
        for cause in row.causes if shown.start == 0 else ():
            yield from fold(cause, width=width, first="      ")


def _cell(state: CellState, *, colour: bool) -> str:
    text = f"{state.value:<{_CELL - 2}}"
    style = _STYLES.get(state)
    return "  " + (colourize(text, style, colour=colour) if style is not None else text)


def _silent(report: FleetReport, *, width: int, colour: bool) -> list[str]:
    silent = [one for one in report.sites if one.silent_since is not None]
    if not silent:
        return []
    lines = [colourize("SILENT", Style.YELLOW, colour=colour)]
    for one in silent:
        lines += fold(f"{one.site}: nothing since {short(one.silent_since or '')}", width=width, first="  ")
    return lines


def _notes(report: FleetReport, *, width: int) -> list[str]:
    lines = [
        part
        for one in report.sites
        for note in one.notes
        for part in fold(f"{one.site}: {note}", width=width, first="  - ")
    ]
    return ["NOTES", *lines] if lines else []


def _conclusion(report: FleetReport, *, width: int, colour: bool) -> list[str]:
    styles = {ExitCode.OK: Style.GREEN, ExitCode.FAILED: Style.RED}
    style = styles.get(fleet_exit_code(report), Style.YELLOW)
    return [colourize(one, style, colour=colour) for one in fold(conclude_fleet(report), width=width)]
