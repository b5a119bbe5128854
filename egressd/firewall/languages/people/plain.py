"""Rules as a plain list of hosts, one per line; ports and sources stand in comments above them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.comments import as_comments
from egressd.firewall.languages.language import Language
from egressd.firewall.languages.people.as_asked import AS_ASKED
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction
from egressd.planning.placeholder import is_host

_PLACEHOLDER = re.compile(r"[a-z0-9._*-]*(<[A-Za-z0-9_ ]+>[a-z0-9._*-]*)+")
"""A value of the operator's that is not known: `<region>.login.microsoft.com`."""
_MEANING = ("A leading *. does not include the name behind it; a * inside a label is a part of that label.",)
_REACH = {ONE_LABEL: "*. is one label", ANY_DEPTH: "*. is one label or more"}


def _render(asked: RuleSet) -> str:
    """Write the destinations by leg, port, sources and need, required ones first."""
    groups: dict[str, list[str]] = {}
    for rule in asked.rules:
        groups.setdefault(_about(rule), []).append(_line(rule.destination))
    lines = list(as_comments("#", (*asked.heading, *(_MEANING if asked.rules else ()))))
    for about, names in groups.items():
        lines += ["", *as_comments("#", (about,)), *dict.fromkeys(names)]
    return "\n".join(lines) + "\n"


def _line(destination: str) -> str:
    """Return a destination as a line; what is neither a host nor a placeholder is a comment."""
    named = "%" not in destination and is_host(destination.lower().replace("*", "x"))
    if named or _PLACEHOLDER.fullmatch(destination):
        return destination
    return as_comments("#", (f"Left out, as it is neither a host name nor an address: {destination}",))[0]


def _about(rule: FirewallRule) -> str:
    return ", ".join(_facts(rule))


def _facts(rule: FirewallRule) -> Iterator[str]:
    yield "/".join(part for part in (rule.transport.lower(), rule.ports) if part)
    other = "to" if rule.direction is Direction.INBOUND else "from"
    yield f"{other} {' '.join(rule.sources) or 'addresses that are not known'}"
    if rule.direction is Direction.INBOUND:
        yield "inbound"
    if rule.action is not Action.ALLOW:
        yield "no TLS inspection" if rule.action is Action.EXEMPT else "answered as public DNS does"
    match rule.leg:
        case Leg.AT_PROXY:
            yield f"let through by {rule.proxy}"
        case Leg.BY_GATEWAY:
            yield f"forwarded by {rule.proxy}: no rule is needed"
        case Leg.DIRECT | Leg.TO_PROXY | Leg.FROM_PROXY:
            pass
    if rule.destination.startswith("*."):
        yield _REACH[rule.subdomains or ONE_LABEL]
    yield rule.need.value


LANGUAGE = Language(
    name="list",
    title="plain host list",
    suffix=".txt",
    comment="#",
    wildcards=AS_ASKED,
    document="",
    tried="",
    render=_render,
)
