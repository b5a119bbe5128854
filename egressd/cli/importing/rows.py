"""Convert rows of text to endpoints of a configuration. Pure; mistakes are left to the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from egressd.cli.importing.table import TextRow
from egressd.model.endpoint import Need, Protocol

Row = dict[str, object]

PROTOCOLS = {53: Protocol.DNS, 80: Protocol.HTTP, 123: Protocol.NTP, 443: Protocol.HTTPS}
"""The protocol of a port, if the list has none."""
_NEEDS = tuple(need.value for need in (Need.REQUIRED, Need.CONDITIONAL, Need.OPTIONAL))
_WORDS = {"yes": True, "true": True, "no": False, "false": False}
_LONGEST = 200


@dataclass(slots=True, kw_only=True)
class ImportedEndpoint:
    """An endpoint, and the line it was first read from."""

    line: int
    row: Row


def import_rows(raws: tuple[TextRow, ...]) -> tuple[ImportedEndpoint, ...]:
    """Return the endpoints of rows; rows with the same host, port and protocol are merged."""
    found: dict[tuple[object, ...], ImportedEndpoint] = {}
    for raw in raws:
        for row in _rows(raw):
            key = (row.get("host", row.get("pattern")), row.get("port"), row.get("protocol"), row.get("path"))
            if key in found:
                _merge(found[key].row, row)
            else:
                found[key] = ImportedEndpoint(line=raw.line, row=row)
    _set_ids(list(found.values()))
    return tuple(found.values())


def _rows(raw: TextRow) -> Iterator[Row]:
    """Yield an endpoint for every port and protocol of a row."""
    cells = raw.cells
    host, scheme, port, path = _split_location(cells.get("host", ""))
    shared = _shared_fields(cells)
    if path and "path" not in shared:
        shared["path"] = path
    for number in _ports(cells.get("port", "")) or [port]:
        for protocol in _split_list(cells.get("protocol", "")) or [scheme]:
            row: Row = {"id": cells.get("id", "")}
            row["pattern" if "*" in host else "host"] = host
            if number is not None:
                row["port"] = number
            spoken = _protocol(protocol, number, cells.get("transport", ""))
            if spoken:
                row["protocol"] = spoken
            yield row | shared


def _split_location(text: str) -> tuple[str, str, int | None, str]:
    """Split a URL or `host:port` into host, scheme, port and path; anything else is a host."""
    if "://" not in text:
        host, colon, port = text.rpartition(":")
        if colon and port.isdecimal() and ":" not in host:
            return host.lower(), "", int(port), ""
        return text.lower(), "", None, ""
    try:
        url = urlsplit(text)
        scheme, port_number = url.scheme.lower(), url.port
    except ValueError:
        return text, "", None, ""
    usual = {"https": 443, "wss": 443, "http": 80}.get(scheme)
    path = url.path if url.path != "/" else ""
    return (url.hostname or text).lower(), scheme, port_number or usual, path


def _ports(text: str) -> list[object]:
    """Read `443`, `80, 443` or `TCP/443`; anything else is kept, for the schema to report."""
    words = [re.sub(r"(?i)^(tcp|udp)[/:]?", "", one) for one in _split_list(text)]
    return [int(one) if one.isdecimal() and len(one) < 6 else one for one in words if one]


def _split_list(text: str) -> list[str]:
    return [one.lower() for one in re.split(r"[\s,;]+", text) if one]


def _protocol(word: str, port: object, transport: str) -> str:
    """Return the protocol: as listed, or by the port."""
    if word and word not in {"udp", "tcp"}:
        return word
    usual = PROTOCOLS.get(port) if isinstance(port, int) else None
    datagram = "udp" in (word, transport.lower())
    if usual is not None and (not datagram or usual in (Protocol.DNS, Protocol.NTP)):
        return usual.value
    return "udp" if datagram else "tcp"


def _shared_fields(cells: dict[str, str]) -> Row:
    """Return the fields that all endpoints of a row share."""
    row: Row = {key: cells[key][:_LONGEST] for key in ("service", "purpose", "condition") if key in cells}
    if "need" in cells:
        row["need"] = cells["need"].lower()
    if "path" in cells:
        row["path"] = cells["path"]
    for key in ("roles", "samples"):
        if key in cells:
            row[key] = _split_list(cells[key])
    for key in ("internal", "private_link"):
        if key in cells:
            row[key] = _WORDS.get(cells[key].lower(), cells[key])
    inspection = cells.get("inspection", "").lower()
    if inspection not in {"", "n/a", "allowed", "tolerated"}:
        row["inspection"] = inspection
    return row


def _merge(row: Row, other: Row) -> None:
    """Merge one more row into an endpoint: all roles, the strictest need."""
    roles, more = row.get("roles"), other.get("roles")
    if isinstance(roles, list) and isinstance(more, list):
        row["roles"] = list(dict.fromkeys([*roles, *more]))
    else:
        row.pop("roles", None)  # a row without roles is for every machine
    needs = [one.get("need", Need.REQUIRED.value) for one in (row, other)]
    if all(need in _NEEDS for need in needs):
        row["need"] = min(needs, key=lambda need: _NEEDS.index(str(need)))
    if row.get("need") != Need.CONDITIONAL.value:
        row.pop("condition", None)


def _set_ids(found: list[ImportedEndpoint]) -> None:
    """Set an id for every endpoint that has none or a duplicate."""
    taken: set[str] = set()
    for one in found:
        given = str(one.row["id"])
        name = given or _slug(f"{one.row.get('host', one.row.get('pattern'))}-{one.row.get('port', '')}")
        number, base = 2, name
        while name in taken:
            name, number = f"{base[:60]}-{number}", number + 1
        taken.add(name)
        one.row["id"] = name


def _slug(text: str) -> str:
    return (
        re.sub(r"[^a-z0-9]+", "-", text.lower().replace("*", "any")).strip("-")[:63].strip("-") or "endpoint"
    )
