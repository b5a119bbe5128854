"""Rules as Markdown, for a change request."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.language import Language
from egressd.firewall.languages.people.as_asked import AS_ASKED
from egressd.firewall.languages.people.cells import cells
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Role

_SECTIONS = {Leg.DIRECT: 0, Leg.TO_PROXY: 0, Leg.AT_PROXY: 1, Leg.FROM_PROXY: 2, Leg.BY_GATEWAY: 3}
"""The order of legs: first what hosts reach, with or without a proxy."""
_ACTIONS = tuple(Action)


def _render(asked: RuleSet) -> str:
    """Write one table for each leg, role and source."""
    lines = ["# Firewall rules", *(part for line in asked.origin.lines for part in ("", line))]
    groups: dict[tuple[str, str], list[FirewallRule]] = {}
    for rule in sorted(asked.rules, key=_order):
        groups.setdefault((_heading(rule), ", ".join(rule.sources) or "not given"), []).append(rule)
    for (heading, sources), some in groups.items():
        lines += ["", f"## {heading}", "", f"{_own_side(some[0])}: {sources}", ""]
        lines += itertools.chain(_table_head(some[0]), map(_row, some))
    if not asked.rules:
        lines += ["", "No rule is needed."]
    return "\n".join(lines) + "\n"


def _order(rule: FirewallRule) -> tuple[int, int, bool]:
    return _SECTIONS[rule.leg], _ACTIONS.index(rule.action), rule.direction is Direction.INBOUND


def _heading(rule: FirewallRule) -> str:
    if rule.leg is Leg.BY_GATEWAY:
        return f"Forwarded by the Azure Arc gateway {rule.proxy}: no rule is needed"
    return f"{_what(rule)}{_where(rule)}"


def _what(rule: FirewallRule) -> str:
    match rule.action:
        case Action.EXEMPT:
            return "Exempt from TLS inspection. "
        case Action.RESOLVE:
            return "Answer DNS queries as public DNS does. "
        case Action.ALLOW:
            return ""


def _where(rule: FirewallRule) -> str:
    if rule.leg is Leg.FROM_PROXY:
        return f"From the proxy {rule.proxy}"
    if rule.leg is Leg.AT_PROXY:
        return f"Let through by the proxy {rule.proxy}"
    preposition = "To" if rule.direction is Direction.INBOUND else "From"
    everybody = set(rule.roles) >= set(Role) or not rule.roles
    return f"{preposition}: {'every role' if everybody else ', '.join(rule.roles)}"


def _own_side(rule: FirewallRule) -> str:
    """Name the addresses of the roles: sources, or destinations of what comes in."""
    return "Destinations" if rule.direction is Direction.INBOUND else "Sources"


def _table_head(rule: FirewallRule) -> Iterator[str]:
    other = "source" if rule.direction is Direction.INBOUND else "destination"
    yield f"| {other} | port | TLS inspection | WebSocket | need | service tags | for |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"


def _row(rule: FirewallRule) -> str:
    texts = cells(rule)
    need = f"{texts['need']}: {texts['condition']}" if texts["condition"] else texts["need"]
    if rule.one_of:
        need += f" (one of {texts['one_of']} is enough)"
    reach = f" ({rule.subdomains})" if rule.subdomains else ""
    row = (
        f"`{rule.destination}`{reach}",
        "/".join(part for part in (rule.ports, rule.transport) if part),
        rule.tls_inspection,
        texts["websocket"],
        need,
        texts["service_tags"],
        f"{texts['services']}. {texts['purposes']}"
        + (f" Arc gateway: {texts['gateway']}." if rule.gateway else ""),
    )
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |"


LANGUAGE = Language(
    name="markdown",
    title="Markdown tables",
    suffix=".md",
    comment="",
    wildcards=AS_ASKED,
    document="",
    tried="",
    render=_render,
)
