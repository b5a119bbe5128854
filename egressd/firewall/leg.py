"""The part of a path that a rule is for."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from egressd.attribution.facts.stats import DIRECT
from egressd.destination import DEFAULT_PORTS
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.verdict import Team

MAX_PORT = 65_535


def rule_on_path(rule: FirewallRule, path: str, *, to_proxy: bool) -> FirewallRule:
    """Return a rule as it is where the path is direct, else that of the leg that failed.

    `to_proxy`: whether the conversation ended before the proxy answered.
    """
    if path == DIRECT:
        return rule
    scheme, host, port = _proxy_parts(path)
    if to_proxy and rule.action is Action.ALLOW:
        return _way_to_proxy(rule, path, scheme=scheme, host=host, port=port)
    if rule.team in (Team.PROXY, Team.INSPECTION):
        return replace(rule, leg=Leg.AT_PROXY, proxy=path)
    return replace(rule, leg=Leg.FROM_PROXY, proxy=path, sources=[host])


def _way_to_proxy(rule: FirewallRule, path: str, *, scheme: str, host: str, port: int | None) -> FirewallRule:
    """Return the rule for the connection to the proxy, with who needs it; nothing of the far end is in it."""
    return FirewallRule(
        action=rule.action,
        team=rule.team,
        confidence=rule.confidence,
        leg=Leg.TO_PROXY,
        proxy=path,
        roles=rule.roles,
        sources=rule.sources,
        destination=host,
        port=port,
        transport="TCP",
        protocols=[scheme],
        need=rule.need,
        services=["Proxy"],
        targets=rule.targets,
    )


def has_a_port(rule: FirewallRule) -> bool:
    """Whether a firewall could take the port of a rule: in a report any number can stand."""
    return rule.transport == "ICMP" or (rule.port is not None and 0 < rule.port <= MAX_PORT)


def _proxy_parts(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a proxy; what a report names that is no URL stands for the host."""
    try:
        found = urlsplit(url)
        return found.scheme, found.hostname or url, found.port or DEFAULT_PORTS.get(found.scheme)
    except ValueError:
        return "", url, None
