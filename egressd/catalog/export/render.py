"""Write rules as CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal, assert_never

from egressd.catalog.export.rule import FirewallRule, Leg
from egressd.catalog.export.rules import RuleFilter, firewall_rules
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Direction, Role
from egressd.model.settings import Settings

Format = Literal["csv", "json", "markdown"]
FORMATS: tuple[Format, ...] = ("csv", "json", "markdown")

_SECTIONS = {Leg.DIRECT: 0, Leg.TO_PROXY: 0, Leg.FROM_PROXY: 1, Leg.BY_GATEWAY: 2}
"""The order of legs in a document for people: first what hosts reach, with or without a proxy."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def export_rules(catalog: Catalog, settings: Settings, fmt: Format, only: RuleFilter | None = None) -> str:
    """Render the rules of the selected profiles, cloud and region, the operator's rows included.

    CSV is safe to open in a spreadsheet: no cell starts as a formula. Raises UsageError as `firewall_rules`.
    """
    rules = firewall_rules(catalog, settings, only)
    match fmt:
        case "csv":
            return _csv(rules)
        case "json":
            return _json(rules, catalog, settings)
        case "markdown":
            return _markdown(rules, catalog, settings)
        case _:
            assert_never(fmt)


def _cells(rule: FirewallRule) -> dict[str, str]:
    """Flatten a rule for a table."""
    return {
        "leg": rule.leg.value,
        "proxy": rule.proxy,
        "roles": " ".join(rule.roles),
        "sources": " ".join(rule.sources),
        "direction": rule.direction.value,
        "destination": rule.destination,
        "port": rule.ports,
        "transport": rule.transport,
        "protocols": " ".join(rule.protocols),
        "paths": " ".join(rule.paths),
        "tls_inspection": rule.tls_inspection,
        "websocket": "yes" if rule.websocket else "no",
        "subdomains": rule.subdomains,
        "need": rule.need.value,
        "condition": "; or ".join(rule.conditions),
        "features": " ".join(rule.features),
        "one_of": "; ".join(rule.one_of),
        "gateway": "; ".join(rule.gateway),
        "service_tags": " ".join(rule.service_tags),
        "services": "; ".join(rule.services),
        "purposes": " ".join(rule.purposes),
        "documents": "; ".join(rule.documents),
        "endpoints": " ".join(rule.endpoints),
    }


def _csv(rules: tuple[FirewallRule, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(_cells(FirewallRule(destination="", port=None)))
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
    lines = ["# Firewall rules", "", f"Profiles: {profiles}; {place}; catalog of {catalog.revision}."]
    ordered = sorted(rules, key=lambda one: (_SECTIONS[one.leg], one.direction is Direction.INBOUND))
    groups: dict[tuple[str, str], list[FirewallRule]] = {}
    for rule in ordered:
        groups.setdefault((_heading(rule), ", ".join(rule.sources) or "not given"), []).append(rule)
    for (heading, sources), some in groups.items():
        lines += ["", f"## {heading}", "", f"{_own_side(some[0])}: {sources}", ""]
        lines += itertools.chain(_table_head(some[0]), map(_markdown_row, some))
    return "\n".join(lines) + "\n"


def _heading(rule: FirewallRule) -> str:
    if rule.leg is Leg.FROM_PROXY:
        return f"From the proxy {rule.proxy}"
    if rule.leg is Leg.BY_GATEWAY:
        return f"Forwarded by the Azure Arc gateway {rule.proxy}: no rule is needed"
    preposition = "To" if rule.direction is Direction.INBOUND else "From"
    everybody = set(rule.roles) == set(Role)
    return f"{preposition}: {'every role' if everybody else ', '.join(rule.roles)}"


def _own_side(rule: FirewallRule) -> str:
    """Name the addresses of the roles: sources, or destinations of what comes in."""
    return "Destinations" if rule.direction is Direction.INBOUND else "Sources"


def _table_head(rule: FirewallRule) -> Iterator[str]:
    other = "source" if rule.direction is Direction.INBOUND else "destination"
    yield f"| {other} | port | TLS inspection | WebSocket | need | service tags | for |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"


def _markdown_row(rule: FirewallRule) -> str:
    cells = _cells(rule)
    need = f"{cells['need']}: {cells['condition']}" if cells["condition"] else cells["need"]
    if rule.one_of:
        need += f" (one of {cells['one_of']} is enough)"
    reach = f" ({rule.subdomains})" if rule.subdomains else ""
    row = (
        f"`{rule.destination}`{reach}",
        "/".join(part for part in (rule.ports, rule.transport) if part),
        rule.tls_inspection,
        cells["websocket"],
        need,
        cells["service_tags"],
        f"{cells['services']}. {cells['purposes']}"
        + (f" Arc gateway: {cells['gateway']}." if rule.gateway else ""),
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"
