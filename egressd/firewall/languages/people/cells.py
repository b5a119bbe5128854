"""A rule flattened for tables."""

from __future__ import annotations

from egressd.firewall.rule import FirewallRule


def cells(rule: FirewallRule) -> dict[str, str]:
    """Return the columns of a rule, as texts by name."""
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
        "action": rule.action.value,
        "team": rule.team.value,
        "confidence": rule.confidence.value if rule.confidence else "",
        "targets": " ".join(rule.targets),
    }
