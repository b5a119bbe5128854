"""Rows of named cells as rows of single hosts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from egressd.documents.columns import cloud_of
from egressd.documents.hosts import (
    WrittenHost,
    one_line,
    placeholder_of,
    read_host,
    split_cell,
    text_of_cell,
)
from egressd.documents.listed import Cells, ListedRow
from egressd.documents.words import (
    NOTHING,
    Spoken,
    protocol_on,
    read_gateway,
    read_need,
    read_ports,
    read_protocols,
    read_roles,
    usual_port,
)
from egressd.model.endpoint import Cloud, Protocol

LONGEST_TEXT = 200
_IN_WORDS = re.compile(r"(?:HTTPS?/)?(?:TCP|UDP)[ /](\d{1,5})")
_YES = {"yes": True, "true": True, "no": False, "false": False}
_NAMED = (
    (re.compile(r"\bdns servers?\b|\bresolvers?\b"), "{resolver}"),
    (re.compile(r"\b(?:scvmm|vmm) (?:management )?server\b"), "{scvmm_server}"),
    (re.compile(r"\bvcenter\b"), "{private_cloud}"),
)
"""What documents describe in words, and the catalog has as a placeholder."""


class _Rule(Struct, frozen=True, kw_only=True):
    """One host, port and protocol of a row."""

    pattern: str | None
    text: str
    port: str | None
    protocol: Protocol | None
    problems: tuple[str, ...]
    path: str | None = None
    prose: bool = False


class RowSource(Struct, frozen=True, kw_only=True):
    """Where a row stands, and how strictly its cells are read."""

    origin: str
    number: int
    bare: bool = False
    """Whether a host may be a single label."""


def rows_of_cells(row: Cells, source: RowSource) -> Iterator[ListedRow]:
    """Yield one row for every host, port and protocol of a row."""
    cells = row.cells
    if cells.get("leg") == "to-proxy":
        return  # a rule for the way to a proxy: what it then asks for has rules of its own
    hosts = hosts_in(cells.get("host", ""), bare=source.bare)
    spoken = _spoken(cells)
    if not hosts:
        yield from _prose(row, source, spoken)
        return
    for host in hosts:
        yield from _each(row, source, host, spoken)


def hosts_in(cell: str, *, bare: bool = False) -> list[WrittenHost]:
    """Return the hosts of a cell, each once."""
    words = split_cell(cell)
    bare = bare and len(words) == 1
    found = [host for word in words if (host := read_host(word, bare=bare)) is not None]
    return list(dict.fromkeys(found))


def _spoken(cells: dict[str, str]) -> Spoken:
    both = cells.get("port and protocol")
    ports = read_ports(both or cells.get("port", ""))
    named = read_protocols(cells.get("protocol", "") or cells.get("transport", ""))
    transport = read_protocols(cells.get("transport", ""))
    problems = (*(ports.problems if cells.get("port") or both else ()), *named.problems)
    if not ports.ports and not problems and (inline := _IN_WORDS.findall(cells.get("purpose", ""))):
        ports = Spoken(ports=tuple(dict.fromkeys(inline)))
    protocols = named.protocols or ports.protocols
    if not protocols and "wss://" in cells.get("direction", ""):
        protocols = (Protocol.WSS,)
    if protocols == (Protocol.TCP,) and transport.protocols == (Protocol.UDP,):
        protocols = transport.protocols
    return Spoken(ports=ports.ports, protocols=protocols, problems=problems)


def _each(row: Cells, source: RowSource, host: WrittenHost, spoken: Spoken) -> Iterator[ListedRow]:
    ports = (host.port,) if host.port is not None else spoken.ports or host.ports
    said = spoken.protocols or tuple(Protocol(_SCHEMES[one]) for one in host.schemes)
    name = _known_name(host.pattern.strip("{}").replace("_", " ")) if host.pattern.startswith("{") else None
    for port, protocol in _combined(ports, said):
        rule = _Rule(
            pattern=name or host.pattern,
            text=host.text,
            port=port,
            protocol=protocol,
            problems=spoken.problems,
            path=host.path,
        )
        yield _row(row, source, rule)


def _known_name(words: str) -> str | None:
    """Return the placeholder that the catalog has for something that a document describes."""
    return next((one for pattern, one in _NAMED if pattern.search(words.lower())), None)


def _combined(
    ports: tuple[str, ...], protocols: tuple[Protocol, ...]
) -> Iterator[tuple[str | None, Protocol | None]]:
    for port in ports:
        for protocol in protocol_on(port, protocols) or (None,):
            yield port, protocol
    if not ports:
        yield from ((usual_port(protocol), protocol) for protocol in protocols or (None,))


_SCHEMES = {
    "https": "https",
    "http": "http",
    "wss": "wss",
    "ws": "http",
    "tcp": "tcp",
    "udp": "udp",
    "ntp": "ntp",
    "tls": "tls",
}


def _prose(row: Cells, source: RowSource, spoken: Spoken) -> Iterator[ListedRow]:
    """Yield a cell in words as a row of a placeholder, so that its rule is not lost."""
    prose = text_of_cell(row.cells.get("host", ""))[:LONGEST_TEXT]
    if not re.search(r"\w", prose) or prose.rstrip(".").lower() in NOTHING:
        return
    name = _known_name(prose) or placeholder_of(prose)
    problems = spoken.problems if name is not None else (*spoken.problems, f"{prose[:60]!r} is not a host")
    for port, protocol in _combined(spoken.ports, spoken.protocols):
        rule = _Rule(pattern=name, text=prose, port=port, protocol=protocol, problems=problems, prose=True)
        yield _row(row, source, rule)


def _row(row: Cells, source: RowSource, rule: _Rule) -> ListedRow:
    cells = row.cells
    need, condition = read_need(cells.get("need", ""))
    roles, inbound, unknown = read_roles(cells.get("roles") or cells.get("direction", ""))
    inbound = inbound or cells.get("direction", "").strip().lower() == "inbound"
    if cells.get("need") and need is None:
        unknown = (*unknown, f"need {one_line(cells['need'])[:40]!r} is not known")
    return ListedRow(
        pattern=rule.pattern,
        text=rule.text[:LONGEST_TEXT],
        prose=rule.prose,
        line=row.line,
        origin=source.origin,
        number=source.number,
        port=rule.port,
        protocol=rule.protocol,
        path=cells.get("path") or _only(cells.get("paths", "")) or rule.path,
        service=_words(cells.get("service")),
        purpose=_words(cells.get("purpose")),
        roles=roles,
        need=need,
        when=_words(cells.get("when") or condition),
        cloud=row.cloud or cloud_of(cells.get("cloud", "")) or _cloud_value(cells.get("cloud", "")),
        region=row.region or _region(cells.get("region", "")),
        gateway=read_gateway(cells.get("gateway", "")),
        inbound=inbound,
        section=row.section,
        samples=tuple(split_cell(cells.get("samples", ""))),
        keys=(*row.keys.items(), *_flags(cells)),
        id=cells.get("id") or None,
        endpoints=tuple(split_cell(cells.get("endpoints", ""))),
        problems=(*rule.problems, *unknown),
    )


def _only(text: str) -> str | None:
    words = text.split()
    return words[0] if len(words) == 1 else None


def _words(text: str | None) -> str | None:
    return text_of_cell(text)[:LONGEST_TEXT].strip() or None if text else None


def _cloud_value(text: str) -> Cloud | None:
    word = text.strip().lower()
    return next((one for one in Cloud if one.value == word), None)


def _region(text: str) -> str | None:
    name = re.sub(r"[^a-z0-9]", "", text.lower())
    return name if name not in {"", "global", "all", "azurelocal", "any"} else None


def _flags(cells: dict[str, str]) -> Iterator[tuple[str, object]]:
    for key in ("internal", "private_link"):
        if text := cells.get(key):
            yield key, _YES.get(text.strip().lower(), text)
    inspection = cells.get("inspection", "").strip().lower()
    if inspection not in {"", "n/a", "allowed", "tolerated"}:
        yield "inspection", inspection
    if len(paths := cells.get("paths", "").split()) > 1:
        yield "paths", paths
    if cells.get("deep") == "yes":
        yield "deep", True
