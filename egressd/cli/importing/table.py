"""A file of endpoints as rows of text: CSV with a heading, JSON or YAML."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from egressd.errors import ConfigError, UsageError
from egressd.yamlfile import read_yaml

MOST_ROWS = 5000

COLUMNS = {
    "host": ("host", "hostname", "fqdn", "destination", "pattern", "url", "domain", "address"),
    "port": ("port", "ports"),
    "protocol": ("protocol", "protocols"),
    "transport": ("transport",),
    "id": ("id",),
    "service": ("service", "services", "name"),
    "purpose": ("purpose", "purposes", "description"),
    "roles": ("roles", "role"),
    "need": ("need",),
    "condition": ("condition", "conditions"),
    "samples": ("samples",),
    "path": ("path",),
    "inspection": ("inspection", "tls_inspection"),
    "internal": ("internal",),
    "private_link": ("private_link",),
}
"""The fields of a row, and the column names for each, in any case."""
_NAMES = {name: key for key, names in COLUMNS.items() for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRow:
    """One row as it stands in the file; several values of a cell are separated by spaces."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTable:
    """All rows of a file."""

    rows: tuple[TextRow, ...]
    unused: tuple[str, ...]
    """Columns that are ignored."""


def read_table(text: str, name: str) -> ImportedTable:
    """Read a file: JSON or YAML by its name or first character, else CSV.

    Raises:
        ConfigError: it is not valid in its format.
        UsageError: there is no row in it, too many, or no column for the host.
    """
    structured = name.endswith((".json", ".yaml", ".yml")) or text.lstrip("\ufeff \r\n")[:1] in ("{", "[")
    rows = list(_structured(text, name) if structured else _csv(text, name))
    if len(rows) > MOST_ROWS:
        raise UsageError(f"cannot import {name}: more than {MOST_ROWS} rows")
    unused = dict.fromkeys(key for row in rows for key in row.cells if _field_of(key) is None)
    known = tuple(TextRow(line=row.line, cells=_known_columns(row.cells)) for row in rows)
    if not any("host" in row.cells for row in known):
        raise UsageError(
            f"cannot import {name}: no column is called {', '.join(COLUMNS['host'][:-1])} or address"
        )
    return ImportedTable(rows=known, unused=tuple(unused))


def _csv(text: str, name: str) -> Iterator[TextRow]:
    text = text.removeprefix("\ufeff")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if extra := row.get(None):
                raise ConfigError(
                    (f"{name}:{reader.line_num}: has {len(extra)} cells more than the heading",)
                )
            cells = {key: (value or "").strip() for key, value in row.items()}
            if any(cells.values()):
                yield TextRow(line=reader.line_num, cells={key: one for key, one in cells.items() if one})
    except csv.Error as error:
        raise ConfigError((f"{name}:{reader.line_num}: not valid CSV: {error}",)) from None


def _structured(text: str, name: str) -> Iterator[TextRow]:
    document = read_yaml(text, name)
    if document.problems:
        raise ConfigError(document.problems)
    data: object = document.data
    path: tuple[str, ...] = ()
    for key in ("rules", "endpoints"):
        if isinstance(data, dict) and isinstance(data.get(key), list):
            data, path = data[key], (key,)
            break
    if not isinstance(data, list):
        raise UsageError(f"cannot import {name}: it is neither a list of endpoints nor has one in it")
    problems = []
    for index, row in enumerate(data):
        line = document.line((*path, index))
        if isinstance(row, dict):
            yield TextRow(line=line, cells={key: cell for key, one in row.items() if (cell := _cell(one))})
        else:
            problems.append(f"{name}:{line}: must be a mapping of keys to values")
    if problems:
        raise ConfigError(tuple(problems))


def _cell(value: object) -> str:
    """Convert a value of JSON or YAML to a cell."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return " ".join(_cell(one) for one in value)
        case dict():  # `samples: {documented: [...]}`, as in the catalog's own rows
            return _cell(value.get("documented"))
        case _:
            return str(value).strip()


def _field_of(name: str) -> str | None:
    return _NAMES.get(name.strip().lower().replace(" ", "_").replace("-", "_"))


def _known_columns(cells: dict[str, str]) -> dict[str, str]:
    return {key: value for name, value in cells.items() if (key := _field_of(name)) is not None}
