"""CSV with a heading: a vendor's, a result of the Environment Checker, or an export of ours."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from msgspec import Struct

from egressd.documents.cells import RowSource, rows_of_cells
from egressd.documents.columns import IGNORED, field_of, name_of
from egressd.documents.hosts import one_line
from egressd.documents.listed import MOST_ROWS, Cells, ListedRow, Listing
from egressd.errors import ConfigError, UsageError
from egressd.wording import count

DELIMITERS = ",;\t|"
_EXPORT = {"destination", "transport", "tls inspection", "endpoints"}
_RESULT = {"url", "port", "arc gateway", "layer7status"}
_ARMED = re.compile(r"'[=+\-@\t\r\n]")


class _Line(Struct, frozen=True, kw_only=True):
    number: int
    cells: tuple[str, ...]


def looks_delimited(text: str) -> bool:
    """Whether the first line is a heading with a column for the host."""
    heading = text.lstrip("\ufeff").partition("\n")[0][:5000]
    names = _split(heading, _delimiter(heading))
    return len(names) > 1 and any(field_of(one) == "host" for one in names)


def read_csv(text: str, name: str) -> Listing:
    """Read a table with a heading.

    Raises:
        ConfigError: it is not valid CSV.
        UsageError: no column holds hosts, or there are too many rows.
    """
    lines = list(_lines(text, name))
    heading = lines[0].cells if lines else ()
    names = [name_of(one) for one in heading]
    export, result = set(names) >= _EXPORT, set(names) >= _RESULT
    columns = ["endpoints" if export and one == "endpoints" else field_of(one) for one in heading]
    if "host" not in columns:
        raise UsageError("no column is called host, hostname, fqdn, destination, url, endpoint or domain")
    rows: list[ListedRow] = []
    notes: list[str] = []
    region = None
    for number, line in enumerate(lines[1:], 1):
        if number > MOST_ROWS:
            raise UsageError(f"more than {MOST_ROWS} rows")
        cells = _named(columns, names, line, export=export)
        if result and (found := _said(cells, line)) is not None:
            region = _region_of(found) or region
            notes.append(f"{name}:{line.number}: {found[:80]}: no row")
            continue
        rows += rows_of_cells(
            Cells(line=line.number, cells=cells), RowSource(origin=name, number=number, bare=True)
        )
        rows += _hostless(cells, line, RowSource(origin=name, number=number))
    unused = [one_line(one) for one, column in zip(heading, columns, strict=True) if column is None]
    return Listing(
        name=name,
        format="an export of egressd"
        if export
        else "a result of the Environment Checker"
        if result
        else "CSV",
        rows=tuple(rows),
        notes=tuple(notes),
        unused=() if result else tuple(one for one in unused if one and name_of(one) not in IGNORED),
        region=region,
        exported=export,
    )


def _hostless(cells: dict[str, str], line: _Line, source: RowSource) -> Iterator[ListedRow]:
    """Yield a row of which the host is missing, so that it is reported."""
    if cells and not cells.get("host", "").strip():
        yield ListedRow(
            pattern=None,
            text="no host",
            line=line.number,
            origin=source.origin,
            number=source.number,
            problems=("has no host",),
        )


def _lines(text: str, name: str) -> Iterator[_Line]:
    text = text.removeprefix("\ufeff")
    if text[:4].lower() == "sep=":
        text = text.partition("\n")[2]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_delimiter(text.partition("\n")[0][:5000]), strict=True
    )
    width = 0
    try:
        for cells in reader:
            if not any(one.strip() for one in cells):
                continue
            width = width or len(cells)
            if extra := len([one for one in cells[width:] if one.strip()]):
                raise ConfigError(
                    (f"{name}:{reader.line_num}: has {count(extra, 'cell')} more than the heading",)
                )
            yield _Line(number=reader.line_num, cells=tuple((cells + [""] * width)[:width]))
    except csv.Error as error:
        raise ConfigError((f"{name}:{reader.line_num}: not valid CSV: {error}",)) from None


def _delimiter(heading: str) -> str:
    return max(DELIMITERS, key=heading.count)


def _split(heading: str, delimiter: str) -> list[str]:
    return [one.strip().strip('"') for one in heading.split(delimiter)]


def _named(columns: list[str | None], names: list[str], line: _Line, *, export: bool) -> dict[str, str]:
    """Return the cells by field, as they were before a spreadsheet was kept from running them."""
    found: dict[str, str] = {}
    for column, cell in zip(columns, line.cells, strict=True):
        text = cell.strip()
        if column is not None and text:
            found.setdefault(column, text[1:] if _ARMED.match(text) else text)
    if export and dict(zip(names, line.cells, strict=True)).get("subdomains") == "any depth":
        found["deep"] = "yes"
    return found


def _said(cells: dict[str, str], line: _Line) -> str | None:
    """Return what a line of a result says that is no row: a remark after the last one."""
    text = cells.get("host", "")
    return one_line(text) if " " in text and not cells.get("port") and not any(line.cells[3:]) else None


def _region_of(remark: str) -> str | None:
    found = re.search(r"region\s*[=:]\s*(\w+)", remark, re.IGNORECASE)
    return found[1].lower() if found else None
