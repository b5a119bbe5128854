"""Calico Enterprise and Calico Cloud policies: names from trusted DNS answers, sources by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, is_ip
from egressd.firewall.languages.devices.comments import introduce
from egressd.firewall.languages.devices.kubernetes.policies import choose_entry, write_policies
from egressd.firewall.languages.devices.kubernetes.sources import LABEL
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import FirewallRule
from egressd.model.endpoint import Direction

_WILDCARDS = Wildcards(
    depth=Depth.ANY, apex=False, inside_label=False, matched_on="answers of trusted DNS servers"
)


def _render(asked: RuleSet) -> str:
    """Write one policy for each set of sources."""
    found = [choose_entry(rule, _WILDCARDS) for rule in asked.rules]
    lookups = _document("egressd-dns", (), {"egress": list(_dns())})
    return write_policies(found, introduce(asked, LANGUAGE, found), policy=_policy, lookups=lookups)


def _policy(names: Names, sources: tuple[str, ...], some: Sequence[Entry]) -> dict[str, object]:
    inward: list[dict[str, object]] = []
    for one in some:
        if one.rule.direction is Direction.INBOUND:
            inward += [rule for rule in _inward(one) if rule not in inward]
    outward = _merged([one for one in some if one.rule.direction is not Direction.INBOUND])
    sides: dict[str, object] = {"ingress": inward, "egress": outward}
    name = names.marked("sources", (sources, sides))
    return _document(name, sources, {key: rules for key, rules in sides.items() if rules})


def _document(name: str, sources: tuple[str, ...], sides: Mapping[str, object]) -> dict[str, object]:
    values = ", ".join(f"'{one}'" for one in sources)
    selector = f"{LABEL} in {{ {values} }}" if values else f"has({LABEL})"
    types = [side.capitalize() for side in sides]
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "GlobalNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"selector": selector, "types": types, **sides},
    }


def _dns() -> Iterator[dict[str, object]]:
    for transport in ("UDP", "TCP"):
        to = {
            "namespaceSelector": "projectcalico.org/name == 'kube-system'",
            "selector": "k8s-app == 'kube-dns'",
            "ports": [53],
        }
        yield {"action": "Allow", "protocol": transport, "destination": to}


def _merged(entries: Sequence[Entry]) -> list[dict[str, object]]:
    """Return one rule for each protocol, set of ports, and kind of destination."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in entries:
        kind = "nets" if is_ip(one.names[0]) else "domains"
        for transport in _transports(one.rule):
            known = found.setdefault((transport, one.rule.ports, kind), [])
            known += [text for text in map(_net, one.names) if text not in known]
    return [
        {"action": "Allow", "protocol": transport, "destination": {kind: names, **_ports(ports)}}
        for (transport, ports, kind), names in found.items()
    ]


def _inward(entry: Entry) -> Iterator[dict[str, object]]:
    rule = entry.rule
    for transport in _transports(rule):
        plain: dict[str, object] = {"action": "Allow", "protocol": transport}
        plain["source"] = {"nets": [_net(one) for one in entry.names]}
        yield plain | ({"destination": _ports(rule.ports)} if rule.ports else {})


def _transports(rule: FirewallRule) -> tuple[str, ...]:
    """Return the protocols by the names that Calico has for them."""
    if rule.transport != "ICMP":
        return (rule.transport,)
    if is_ip(rule.destination):
        return ("ICMPv6",) if ":" in rule.destination else ("ICMP",)
    return "ICMP", "ICMPv6"


def _net(name: str) -> str:
    return f"{name}/{128 if ':' in name else 32}" if is_ip(name) else name


def _ports(ports: str) -> dict[str, list[int | str]]:
    if not ports:
        return {}
    return {"ports": [ports.replace("-", ":") if "-" in ports else int(ports)]}


LANGUAGE = Language(
    name="calico",
    title="Calico Enterprise or Calico Cloud policies",
    suffix=".yaml",
    comment="#",
    wildcards=_WILDCARDS,
    document="the Tigera pages on DNS policy and on global network policies (Calico Cloud 23.0)",
    tried="",
    render=_render,
    remarks=(
        "Domains are a field of Calico Enterprise and Calico Cloud; open-source Calico has no such field",
        "What no policy allows is denied to the pods that one selects, as soon as one selects them",
        "Names pass every other name at the same addresses as well; pods must ask a trusted DNS server",
    ),
)
