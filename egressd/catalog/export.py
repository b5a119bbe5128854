"""The firewall rules to request, per role: what to write into the change request.

Pure; text out. A placeholder without a known value is written `<name>`, because a rule with a guess in it
is worse than a gap.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, assert_never

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Direction, Endpoint, Inspection, Need, Protocol, Role
from egressd.model.settings import Settings
from egressd.planning.pattern import glob_matches_host
from egressd.planning.placeholder import (
    RESOLVER,
    PlaceholderValues,
    placeholder_values,
    substitute,
    substitute_known,
)
from egressd.planning.select import endpoint_may_match, refuse_unmatched, select

Format = Literal["csv", "json", "markdown"]
FORMATS: tuple[Format, ...] = ("csv", "json", "markdown")

_STRENGTH = (Need.REQUIRED, Need.CONDITIONAL, Need.OPTIONAL)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@dataclass(slots=True, kw_only=True)
class FirewallRule:
    """One firewall rule to request: all rows of one role with the same destination, port and transport."""

    role: str
    sources: list[str]
    """Addresses the role's probes leave from; empty if the operator gave none."""
    destination: str
    port: int | None
    """The first port; None with ICMP."""
    transport: str
    last_port: int | None = None
    """The last port of a range."""
    direction: str = Direction.OUTBOUND.value
    protocols: list[str] = field(default_factory=list)
    tls_inspection: str = "n/a"
    """`allowed`, `forbidden`, or `n/a` without TLS."""
    websocket: bool = False
    subdomains: str = ""
    """How far a wildcard reaches: `one label` or `any depth`; empty for a plain host."""
    need: Need = Need.OPTIONAL
    conditions: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)


def export_rules(catalog: Catalog, settings: Settings, fmt: Format) -> str:
    """Render the rules of the selected profiles, cloud and region, the operator's rows included.

    CSV is safe to open in a spreadsheet: no cell starts as a formula.
    """
    rules = firewall_rules(catalog, settings)
    match fmt:
        case "csv":
            return _csv(rules)
        case "json":
            return _json(rules, catalog, settings)
        case "markdown":
            return _markdown(rules, catalog, settings)
        case _:
            assert_never(fmt)


def firewall_rules(catalog: Catalog, settings: Settings) -> tuple[FirewallRule, ...]:
    """Return one rule per role, destination, port and transport, in the order of roles and rows.

    Raises UsageError for an `--only` that matches no row.
    """
    values, every = placeholder_values(catalog, settings), select(catalog, settings)
    refuse_unmatched(
        settings.only,
        lambda glob: any(_selected(row.endpoint, replace(settings, only=(glob,)), values) for row in every),
    )
    rules: dict[tuple[Role, str, str, str, Direction], FirewallRule] = {}
    for role in Role:
        for row in every:
            endpoint = row.endpoint
            if role not in endpoint.roles or not _selected(endpoint, settings, values):
                continue
            for place in _destinations(endpoint, settings, values):
                for transport in _transports(endpoint.protocol):
                    new = _new_rule(role, place, transport, endpoint, settings)
                    key = (role, new.destination, _ports(new), transport, endpoint.direction)
                    _merge(rules.setdefault(key, new), endpoint)
    return tuple(rules.values())


def _selected(endpoint: Endpoint, settings: Settings, values: PlaceholderValues) -> bool:
    """Return whether `--only`, if given, matches the row."""
    pattern = substitute_known(endpoint.pattern, values)
    return (
        not settings.only
        or endpoint_may_match(endpoint, settings.only)
        or any(glob_matches_host(glob, pattern) for glob in settings.only)
    )


def _destinations(
    endpoint: Endpoint, settings: Settings, values: PlaceholderValues
) -> Iterator[tuple[str, int | None]]:
    servers = [one for one in settings.resolvers if one.address is not None]
    if endpoint.pattern == RESOLVER and servers:
        yield from ((one.address or "", one.port) for one in servers)
        return
    if endpoint.pattern == RESOLVER:
        yield "<your DNS servers>", endpoint.port
        return
    for text in substitute(endpoint.pattern, values).texts or (substitute_known(endpoint.pattern, values),):
        yield text.lower(), endpoint.port


def _transports(protocol: Protocol) -> tuple[str, ...]:
    match protocol:
        case Protocol.DNS:
            return "UDP", "TCP"
        case Protocol.NTP | Protocol.UDP:
            return ("UDP",)
        case Protocol.HTTPS | Protocol.HTTP | Protocol.TLS | Protocol.WSS | Protocol.TCP:
            return ("TCP",)
        case Protocol.ICMP:
            return ("ICMP",)
        case _:
            assert_never(protocol)


def _ports(rule: FirewallRule) -> str:
    """Return the port or range of a rule, as firewalls write it."""
    return "-".join(str(one) for one in (rule.port, rule.last_port) if one is not None)


def _new_rule(
    role: Role, place: tuple[str, int | None], transport: str, endpoint: Endpoint, settings: Settings
) -> FirewallRule:
    sources = [one for one in settings.sources if role in one.roles]
    places = [one.address or (f"interface {one.interface}" if one.interface else "") for one in sources]
    return FirewallRule(
        role=role.value,
        sources=list(dict.fromkeys(place for place in places if place)),
        destination=place[0],
        port=place[1],
        last_port=endpoint.last_port,
        transport=transport,
        direction=endpoint.direction.value,
    )


def _merge(rule: FirewallRule, endpoint: Endpoint) -> None:
    """Merge one more row into a rule; the strictest demand wins."""
    if endpoint.protocol.encrypted:
        forbidden = endpoint.inspection is Inspection.FORBIDDEN or rule.tls_inspection == "forbidden"
        rule.tls_inspection = "forbidden" if forbidden else "allowed"
    if endpoint.is_wildcard:
        rule.subdomains = "any depth" if endpoint.deep or rule.subdomains == "any depth" else "one label"
    rule.websocket |= endpoint.protocol is Protocol.WSS
    rule.need = min(rule.need, endpoint.need, key=_STRENGTH.index)
    _append_once(rule.protocols, endpoint.protocol.value)
    _append_once(rule.conditions, endpoint.condition or "")
    _append_once(rule.services, endpoint.service)
    _append_once(rule.purposes, endpoint.purpose)
    _append_once(rule.endpoints, endpoint.id)
    if endpoint.provenance is not None:
        dated = f" ({endpoint.provenance.date})" if endpoint.provenance.date else ""
        _append_once(rule.documents, endpoint.provenance.document + dated)
    if rule.need is Need.REQUIRED:
        rule.conditions.clear()


def _append_once(items: list[str], item: str) -> None:
    if item and item not in items:
        items.append(item)


def _cells(rule: FirewallRule) -> dict[str, str]:
    """Flatten a rule for a table."""
    return {
        "role": rule.role,
        "sources": " ".join(rule.sources),
        "destination": rule.destination,
        "port": _ports(rule),
        "transport": rule.transport,
        "protocols": " ".join(rule.protocols),
        "tls_inspection": rule.tls_inspection,
        "websocket": "yes" if rule.websocket else "no",
        "subdomains": rule.subdomains,
        "need": rule.need.value,
        "condition": "; or ".join(rule.conditions),
        "services": "; ".join(rule.services),
        "purposes": " ".join(rule.purposes),
        "documents": "; ".join(rule.documents),
        "endpoints": " ".join(rule.endpoints),
    }


def _csv(rules: tuple[FirewallRule, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_cells(FirewallRule(role="", sources=[], destination="", port=0, transport="")))
    for rule in rules:
        writer.writerow(_harmless(cell) for cell in _cells(rule).values())
    return out.getvalue()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running a cell as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _json(rules: tuple[FirewallRule, ...], catalog: Catalog, settings: Settings) -> str:
    document = {
        "schema": "egressd.rules/1",
        "catalog": {"revision": catalog.revision, "digest": catalog.digest},
        "cloud": settings.cloud.value,
        "region": settings.region,
        "profiles": list(settings.profiles),
        "rules": [asdict(rule) for rule in rules],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _markdown(rules: tuple[FirewallRule, ...], catalog: Catalog, settings: Settings) -> str:
    profiles = ", ".join(settings.profiles) or "none"
    place = f"cloud {settings.cloud.value}, region {settings.region or 'not given'}"
    lines = [
        "# Firewall rules",
        "",
        f"Outbound. Profiles: {profiles}; {place}; catalog of {catalog.revision}.",
    ]
    for role in dict.fromkeys(rule.role for rule in rules):
        some = [rule for rule in rules if rule.role == role]
        lines += ["", f"## From: {role}", "", f"Sources: {', '.join(some[0].sources) or 'not given'}", ""]
        lines.append("| destination | port | TLS inspection | WebSocket | need | for |")
        lines.append("| --- | --- | --- | --- | --- | --- |")
        lines += [_markdown_row(rule) for rule in some]
    return "\n".join(lines) + "\n"


def _markdown_row(rule: FirewallRule) -> str:
    cells = _cells(rule)
    need = f"{cells['need']}: {cells['condition']}" if cells["condition"] else cells["need"]
    reach = f" ({rule.subdomains})" if rule.subdomains else ""
    row = (
        f"`{rule.destination}`{reach}",
        "/".join(part for part in (_ports(rule), rule.transport) if part),
        rule.tls_inspection,
        cells["websocket"],
        need,
        f"{cells['services']}. {cells['purposes']}",
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
