"""JSON and YAML: lists of endpoints, targets of the Environment Checker, our own exports and rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

from egressd.documents.cells import RowSource, rows_of_cells
from egressd.documents.columns import IGNORED, field_of, name_of
from egressd.documents.formats.checker import is_target, target_rows
from egressd.documents.hosts import one_line
from egressd.documents.listed import MOST_ROWS, Cells, ListedRow, Listing
from egressd.errors import ConfigError, UsageError
from egressd.model.endpoint import Cloud
from egressd.yamlfile import Document, KeyPath, read_yaml

RULES = "egressd.rules/1"
OWN_KEYS = frozenset(
    re.split(
        r"\s+",
        "id service host pattern port protocol roles need condition feature purpose path paths expect "
        "inspection private_link internal deep samples direction gateway one_of regions clouds since until "
        "provenance",
    )
)
"""The keys of a row of the catalog, or of `endpoints:`."""
MOST_LEVELS = 4


class _Found(Struct, frozen=True, kw_only=True):
    """A row of a list, and the names of what it stands in."""

    path: KeyPath
    value: object


def read_structured(text: str, name: str, *, is_json: bool) -> Listing:
    """Read JSON or YAML.

    Raises:
        ConfigError: it is not valid, or a row is no mapping.
        UsageError: there is no list of endpoints in it, or one that is too long.
    """
    document = read_yaml(text.replace("\t", "  ") if is_json else text, name)
    if document.problems:
        raise ConfigError(document.problems)
    top = document.data if isinstance(document.data, dict) else {}
    found = list(_lists(document.data))
    if not found:
        raise UsageError(_why_none(document.data))
    if len(found) > MOST_ROWS:
        raise UsageError(f"more than {MOST_ROWS} rows")
    collected = _Collected(name=name, document=document, defaults=_mapping(top.get("defaults")))
    for number, one in enumerate(found, 1):
        collected.add(one, number)
    if collected.problems:
        raise ConfigError(tuple(collected.problems))
    export = top.get("schema") == RULES
    return Listing(
        name=name,
        format="an export of egressd" if export else collected.format,
        rows=tuple(collected.rows),
        notes=tuple(collected.notes),
        unused=tuple(collected.unused),
        cloud=_cloud(top.get("cloud")),
        region=_text(top.get("region")),
        profiles=tuple(str(one) for one in _list(top.get("profiles"))) if export else (),
        exported=export,
    )


class _Collected:
    def __init__(self, *, name: str, document: Document, defaults: Mapping[str, object]) -> None:
        self.rows: list[ListedRow] = []
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.unused: dict[str, None] = {}
        self.format = "a list"
        self._name = name
        self._document = document
        self._defaults = defaults

    def add(self, one: _Found, number: int) -> None:
        line, value = self._document.line(one.path), one.value
        source = RowSource(origin=self._name, number=number, bare=True)
        if isinstance(value, str):
            self.rows += rows_of_cells(Cells(line=line, cells={"host": value}), source)
        elif not isinstance(value, dict):
            self.problems.append(f"{self._name}:{line}: must be a mapping of keys to values")
        elif is_target(value):
            self.format = "targets of the Environment Checker"
            rows, why = target_rows(value, source, line)
            self.rows += rows
            self.notes += [f"{self._name}:{line}: {why}"] if why else []
        else:
            self._keyed(value, line, source, group=str(one.path[-2]) if len(one.path) > 1 else "")

    def _keyed(self, value: dict[str, object], line: int, source: RowSource, *, group: str) -> None:
        own = "id" in value and ({"host", "pattern"} & value.keys()) and value.keys() <= OWN_KEYS
        if own:
            value = {**self._defaults, **value}
            self.format = "endpoints of egressd"
        cells: dict[str, str] = {}
        for key, content in value.items():
            column = "endpoints" if name_of(key) == "endpoints" else field_of(key)
            if column is None and not own and name_of(key) not in IGNORED:
                self.unused[one_line(key)[:60]] = None
            elif column is not None and (text := _cell(content)):
                cells.setdefault(column, text)
        if isinstance(value.get("last_port"), int):
            cells["port"] = f"{cells.get('port', '')}-{value['last_port']}"
        if value.get("subdomains") == "any depth" or value.get("deep") is True:
            cells["deep"] = "yes"
        if own and "condition" in value:
            cells["when"] = str(value["condition"])
        region = group if group.isalpha() and field_of(group) is None and group not in _GROUPS else None
        row = Cells(
            line=line, cells=cells, region=region.lower() if region else None, keys=value if own else {}
        )
        found = list(rows_of_cells(row, source))
        if cells.get("leg") == "to-proxy":
            return
        self.rows += found or [
            ListedRow(
                pattern=None,
                text="no host",
                line=line,
                origin=source.origin,
                number=source.number,
                problems=("has no host",),
            )
        ]


_GROUPS = frozenset(
    {"rules", "endpoints", "targets", "items", "data", "rows", "urls", "hosts", "value", "values"}
)


def _lists(data: object) -> Iterator[_Found]:
    """Yield the rows of a list of endpoints: the document itself, or the lists in it that hold such rows."""
    if isinstance(data, list):
        yield from (_Found(path=(index,), value=one) for index, one in enumerate(data))
        return
    if not isinstance(data, dict):
        return
    for key in ("rules", "endpoints"):
        if isinstance(data.get(key), list):
            yield from (_Found(path=(key, index), value=one) for index, one in enumerate(data[key]))
            return
    yield from _deeper(data, (), 0)


def _deeper(data: dict[str, object], path: KeyPath, level: int) -> Iterator[_Found]:
    for key, value in data.items():
        if isinstance(value, dict) and level < MOST_LEVELS:
            yield from _deeper(value, (*path, key), level + 1)
        elif isinstance(value, list):
            rows = [(index, one) for index, one in enumerate(value) if _has_host(one)]
            yield from (_Found(path=(*path, key, index), value=one) for index, one in rows)


def _has_host(value: object) -> bool:
    return isinstance(value, dict) and (is_target(value) or any(field_of(key) == "host" for key in value))


def _why_none(data: object) -> str:
    text = json.dumps(data, default=str)[:20_000] if isinstance(data, dict | list) else ""
    if "addressPrefixes" in text:
        return "it holds addresses of service tags, no hosts: name it under service_tags in the configuration"
    return "it is neither a list of endpoints nor has one in it"


def _cell(value: object) -> str:
    """Convert a value to a cell."""
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
            return str(value).encode("utf-8", "replace").decode().strip()


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _cloud(value: object) -> Cloud | None:
    return next((one for one in Cloud if one.value == value), None)
