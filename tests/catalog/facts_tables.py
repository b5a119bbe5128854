"""Microsoft's lists, copied as Markdown tables under `facts/`, and how a profile's rules differ from them.

A host is what stands in backticks: a cell without any (an index that is not named, a sentence) is no row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.export import firewall_rules
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint
from egressd.model.settings import Settings

FACTS = Path(__file__).parent / "facts"

Fact = tuple[str, str]
"""A host pattern and a port; a rule without ports (ICMP) has `-`."""
Row = Mapping[str, str]
"""The cells of one line by their column."""

_SCHEME = re.compile(r"(https?)\\?://")
_PORT = re.compile(r":(\d+)$")
_PORTS = re.compile(r"\d+(?:[-\N{EN DASH}]\d+)?")
_SCHEME_PORTS = {"http": "80", "https": "443"}


@cache
def read_rows(name: str) -> tuple[Row, ...]:
    """Return the rows of every table of `facts/NAME.md`."""
    return tuple(table_rows((FACTS / f"{name}.md").read_text(encoding="utf-8")))


def table_rows(text: str) -> Iterator[Row]:
    """Yield the rows of every pipe table in a Markdown text."""
    columns: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            columns = []
        elif not columns:
            columns = cells
        elif not set(line) <= set("|-: "):
            if len(cells) != len(columns):
                raise ValueError(f"{len(cells)} cells in a table of {len(columns)} columns: {line}")
            yield dict(zip(columns, cells, strict=True))


def facts_of(hosts: str, ports: str = "443") -> Iterator[Fact]:
    """Yield every host of a cell, once per port.

    The host's own port wins (`host:8084`, or a port after the backticks), then its scheme's, then those of
    the ports' cell.
    """
    for code, after in re.findall(r"`([^`]+)`([^`]*)", hosts):
        scheme = _SCHEME.match(code)
        name = _SCHEME.sub("", code).replace("\\", "").partition("/")[0].rstrip(".").lower()
        own = _PORT.search(name) or re.match(r" *:(\d+)", after)
        if own is not None:
            found = [own[1]]
        elif scheme is not None and not _PORTS.search(ports):
            found = [_SCHEME_PORTS[scheme[1]]]
        else:
            found = [one.replace("\N{EN DASH}", "-") for one in _PORTS.findall(ports)] or ["-"]
        yield from ((_PORT.sub("", name), port) for port in found)


def facts_in(
    rows: Iterable[Row], *, host: str, port: str | None = None, spelled: Mapping[str, str] | None = None
) -> set[Fact]:
    """Return the facts of two columns; without a column of ports, 443.

    `spelled` are parts of names that a list writes in its own way: `{"<region>": "eastus"}`.
    """
    found = set()
    for row in rows:
        cell = row[host]
        for written, meant in (spelled or {}).items():
            cell = cell.replace(written, meant)
        found |= set(facts_of(cell, row[port] if port else "443"))
    return found


def rules_of(
    profile: str,
    *,
    cloud: Cloud = Cloud.PUBLIC,
    region: str | None = None,
    keep: Callable[[Endpoint], bool] = lambda endpoint: True,
    values: Mapping[str, str] | None = None,
    included: bool = False,
) -> set[Fact]:
    """Return what the rules of a profile ask for, of its own rows only unless `included`."""
    catalog = shipped_catalog()
    if not included:
        alone = tuple(replace(one, includes=()) for one in catalog.profiles)
        catalog = replace(catalog, profiles=alone)
    catalog = replace(catalog, endpoints=tuple(filter(keep, catalog.endpoints)))
    settings = Settings(cloud=cloud, region=region, profiles=(profile,), values=tuple((values or {}).items()))
    return {(one.destination, one.ports or "-") for one in firewall_rules(catalog, settings)}


def differences(expected: set[Fact], rules: set[Fact]) -> list[str]:
    """Return a line for each row that only one of both has: another port is one of each."""
    lines = [f"missing: {host} {port}" for host, port in expected - rules]
    return sorted(lines + [f"not in the list: {host} {port}" for host, port in rules - expected])


@cache
def shipped_catalog() -> Catalog:
    """Return the catalog of the package, read once."""
    return load_catalog()
