"""Targets of Microsoft's Environment Checker, from its JSON or its manifest, as rows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from egressd.documents.cells import RowSource, rows_of_cells
from egressd.documents.columns import cloud_of
from egressd.documents.hosts import one_line
from egressd.documents.listed import Cells, ListedRow

Entry = Mapping[str, object]
_SIGNS = {"severity", "protocol", "arcgateway"}


def is_target(entry: object) -> bool:
    """Whether a mapping is a target: an `Endpoint` without a port, beside a severity or a protocol."""
    if not isinstance(entry, Mapping):
        return False
    keys = {str(key).lower(): value for key, value in entry.items()}
    named = isinstance(keys.get("endpoint", 0), list | str | None)
    return named and not {"port", "ports"} & keys.keys() and bool(_SIGNS & keys.keys())


def target_rows(entry: Entry, source: RowSource, line: int) -> tuple[list[ListedRow], str | None]:
    """Return the rows of a target, or why it asks for no rule."""
    keys = {str(key).lower(): value for key, value in entry.items()}
    hosts, protocols = _texts(keys.get("endpoint")), _texts(keys.get("protocol"))
    title = one_line(str(keys.get("title") or keys.get("name") or ""))[:100]
    if not protocols:
        return [], f"{', '.join(hosts)[:100] or 'no host'}: {title}: asks for a name at most, no port"
    region = _region(keys.get("region"))
    cells = {
        "service": ", ".join(_texts(keys.get("service"))) or title,
        "purpose": one_line(str(keys.get("description") or title)),
        "protocol": "/".join(protocols),
        "gateway": str(keys.get("arcgateway", "")),
        "need": str(keys.get("severity") or ""),
        "when": ", ".join(_texts(keys.get("operationtype"))),
        "region": region,
    }
    cloud = cloud_of(region) if region else None
    named = {key: value for key, value in cells.items() if value}
    rows = [
        row
        for host in hosts
        for row in rows_of_cells(
            Cells(line=line, cells=named | {"host": host}, cloud=cloud, section=title), source
        )
    ]
    return rows, None


def _texts(value: object) -> list[str]:
    """Return the texts of a value that may be one or a list."""
    values = value if isinstance(value, list) else [value]
    return [one_line(str(one)) for one in values if isinstance(one, str | int | bool) and str(one).strip()]


def _region(value: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(value or "").lower())
