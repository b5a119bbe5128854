"""Convert rows of a document to endpoints of a configuration. Pure; mistakes are left to the schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from egressd.documents.listed import ListedRow
from egressd.documents.words import USUAL, need_of, usual_port
from egressd.model.endpoint import NEEDS_BY_STRENGTH, Need, Protocol
from egressd.planning.placeholder import PLACEHOLDER

Row = dict[str, object]

_NEEDS = tuple(need.value for need in NEEDS_BY_STRENGTH)
_DEFAULT_PORT = "443"
_CATALOG_ONLY = frozenset({"provenance", "since", "until", "clouds", "gateway", "one_of", "feature"})
"""Keys of a catalog row that an endpoint of the configuration does not have."""


class ImportedEndpoint(Struct, kw_only=True):
    """An endpoint, and where it was first read."""

    line: int
    origin: str
    text: str
    row: Row
    problems: list[str] = field(default_factory=list)
    port_implied: bool = False

    @property
    def why_not_probed(self) -> str | None:
        """Why it is a rule that no probe can prove; None if it is probed, given what it names."""
        pattern, port = str(self.row.get("pattern", "")), self.row.get("port")
        names = [one for one in PLACEHOLDER.findall(pattern) if one not in ("region", "resolver")]
        if self.row.get("direction") == "inbound":
            return "it connects from the other side"
        if self.row.get("protocol") in (Protocol.UDP.value, Protocol.ICMP.value):
            return f"{self.row['protocol']} can't be proved"
        if isinstance(port, str):
            return "a range of ports"
        if names:
            return f"needs values: {', '.join(names)}"
        return "no samples stand for the wildcard" if "*" in pattern and not self.row.get("samples") else None


def import_rows(rows: Iterable[ListedRow]) -> tuple[ImportedEndpoint, ...]:
    """Return the endpoints of rows; rows with the same host, port, protocol and place are merged."""
    found: dict[tuple[object, ...], ImportedEndpoint] = {}
    for one in rows:
        for row in _rows(one):
            place = (str(row.get("clouds")), str(row.get("regions")), row.get("direction"))
            key = (_host(row) or one.text, row.get("port"), row.get("protocol"), row.get("path"), *place)
            if key in found:
                _merge(found[key].row, row)
                found[key].problems += [why for why in one.problems if why not in found[key].problems]
            else:
                found[key] = ImportedEndpoint(
                    line=one.line,
                    origin=one.origin,
                    text=one.text,
                    row=row,
                    problems=list(one.problems),
                    port_implied=one.port is None and one.protocol is None,
                )
    _set_ids(list(found.values()))
    return tuple(found.values())


def _host(row: Row) -> object:
    return row.get("host", row.get("pattern"))


def _rows(one: ListedRow) -> Iterator[Row]:
    own = dict(one.keys)
    if "id" in own:
        yield _own_row(own)
        return
    if not (one.pattern or "").startswith("*."):
        own.pop("deep", None)  # a wildcard inside of a label reaches no further
    yield {"id": one.id or ""} | _destination(one) | _shared(one) | own


def _own_row(own: Row) -> Row:
    """Return a row that is one of ours already; of a catalog row, what an endpoint can have."""
    if "provenance" not in own:
        return own
    row = {key: value for key, value in own.items() if key not in _CATALOG_ONLY}
    samples = row.get("samples")
    if isinstance(samples, dict):
        kept = {key: samples[key] for key in ("documented", "random") if key in samples}
        row = row | {"samples": kept} if kept else {key: row[key] for key in row if key != "samples"}
    if re.fullmatch(r"[a-z0-9._-]+", str(row.get("pattern", ""))):
        row["host"] = row.pop("pattern")
    return row


def _destination(one: ListedRow) -> Row:
    pattern = one.pattern or ""
    row: Row = {}
    if pattern:
        row["pattern" if "*" in pattern or PLACEHOLDER.search(pattern) else "host"] = pattern
    port = one.port
    if port is None and one.protocol is not Protocol.ICMP and not one.problems:
        port = usual_port(one.protocol) or _DEFAULT_PORT
    if port is not None:
        row["port"] = int(port) if port.isdecimal() else port
    row["protocol"] = (
        one.protocol or USUAL.get(int(port) if port and port.isdecimal() else 0, Protocol.TCP)
    ).value
    if one.inbound:
        row["direction"] = "inbound"
    return row


def _shared(one: ListedRow) -> Row:
    """Return the fields that are the same for all ports and protocols of a row."""
    need, condition = (one.need, one.when) if one.need is not None else need_of(one.when or "")
    row: Row = {"service": one.service, "purpose": one.purpose, "path": one.path}
    if need is not None:
        row["need"] = need.value
    if need is Need.CONDITIONAL:
        row["condition"] = condition
    row["roles"] = [role.value for role in one.roles]
    row["samples"] = list(one.samples)
    row["clouds"] = [one.cloud.value] if one.cloud is not None else []
    row["regions"] = [one.region] if one.region is not None else []
    return {key: value for key, value in row.items() if value not in (None, "", [])}


def _merge(row: Row, other: Row) -> None:
    """Merge one more row into an endpoint: all roles, the strictest need."""
    roles, more = row.get("roles"), other.get("roles")
    if isinstance(roles, list) and isinstance(more, list):
        row["roles"] = list(dict.fromkeys([*roles, *more]))
    else:
        row.pop("roles", None)  # a row without roles is for every machine
    needs = [str(one.get("need", Need.REQUIRED.value)) for one in (row, other)]
    if all(need in _NEEDS for need in needs) and ("need" in row or "need" in other):
        row["need"] = min(needs, key=_NEEDS.index)
    if row.get("need") != Need.CONDITIONAL.value:
        row.pop("condition", None)
    if "inspection" in other:
        row.setdefault("inspection", other["inspection"])


def _set_ids(found: list[ImportedEndpoint]) -> None:
    """Set an id for every endpoint that has none or a duplicate."""
    taken: set[str] = set()
    for one in found:
        given = str(one.row.get("id") or "")
        number = given.isdecimal()  # the number of a row in a list is no name
        name = (
            given
            if given and not number
            else _slug(f"{_host(one.row) or one.text}-{one.row.get('port', '')}")
        )
        last, base = 2, name
        while name in taken:
            name, last = f"{base[:60]}-{last}", last + 1
        taken.add(name)
        one.row["id"] = name


def _slug(text: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", text.lower().replace("*", "any")).strip("-")
    return name[:63].strip("-") or "endpoint"
