"""Cilium policies: names as they are looked up, sources by label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, Omitted, is_ip
from egressd.firewall.languages.devices.comments import introduce
from egressd.firewall.languages.devices.kubernetes.policies import choose_entry, write_policies
from egressd.firewall.languages.devices.kubernetes.sources import LABEL
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import ANY_DEPTH, FirewallRule
from egressd.model.endpoint import Direction

_WILDCARDS = Wildcards(
    depth=Depth.AS_ASKED,
    apex=False,
    inside_label=True,
    matched_on="names in DNS questions, then their addresses",
)
_OLDER_DEPTH = 3
"""Labels that an older release can be given one by one in the place of a deep wildcard."""
_ECHO = {4: ("IPv4", 8), 6: ("IPv6", 128)}
_DNS: dict[str, object] = {
    "toEndpoints": [
        {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}}
    ],
    "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": [{"matchPattern": "*"}]}}],
}


def _render(asked: RuleSet) -> str:
    """Write one policy for each set of sources."""
    found = [_choose(rule) for rule in asked.rules]
    lookups = _document("egressd-dns", (), {"egress": [_DNS]})
    return write_policies(found, introduce(asked, LANGUAGE, found), policy=_policy, lookups=lookups)


def _choose(rule: FirewallRule) -> Entry | Omitted:
    found = choose_entry(rule, _WILDCARDS)
    if isinstance(found, Omitted):
        return found
    return replace(found, remarks=(*found.remarks, *_remarks(rule)))


def _remarks(rule: FirewallRule) -> Iterator[str]:
    if rule.transport == "ICMP":
        yield "only echo requests are in"
    if rule.is_wildcard and rule.subdomains == ANY_DEPTH:
        yield f"before Cilium 1.19 names with more than {_OLDER_DEPTH} labels for the star do not pass"


def _policy(names: Names, sources: tuple[str, ...], some: Sequence[Entry]) -> dict[str, object]:
    inward = [_rule(one) for one in some if one.rule.direction is Direction.INBOUND]
    outward = [_rule(one) for one in some if one.rule.direction is not Direction.INBOUND]
    sides = {"egress": _merged(outward), "ingress": _merged(inward)}
    name = names.marked("sources", (sources, sides))
    return _document(name, sources, {key: rules for key, rules in sides.items() if rules})


def _document(name: str, sources: tuple[str, ...], sides: Mapping[str, object]) -> dict[str, object]:
    label: dict[str, object] = {"key": LABEL, "operator": "Exists"}
    if sources:
        label = {"key": LABEL, "operator": "In", "values": list(sources)}
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": name},
        "spec": {"endpointSelector": {"matchExpressions": [label]}, **sides},
    }


def _rule(entry: Entry) -> tuple[str, list[object], dict[str, object]]:
    """Return the key of the far side, its members, and the ports."""
    rule = entry.rule
    if is_ip(entry.names[0]):
        key = "fromCIDR" if rule.direction is Direction.INBOUND else "toCIDR"
        members: list[object] = [f"{one}/{128 if ':' in one else 32}" for one in entry.names]
    else:
        key = "toFQDNs"
        members = [selector for one in entry.names for selector in _selectors(rule, one)]
    return key, members, _ports(rule)


def _merged(rules: Sequence[tuple[str, list[object], dict[str, object]]]) -> list[object]:
    """Return one rule for each kind of far side and each set of ports."""
    found: dict[tuple[str, str], tuple[list[object], Mapping[str, object]]] = {}
    for key, members, ports in rules:
        known, _ = found.setdefault((key, repr(ports)), ([], ports))
        known += [one for one in members if one not in known]
    return [{key: members, **ports} for (key, _), (members, ports) in found.items()]


def _selectors(rule: FirewallRule, name: str) -> Iterator[dict[str, str]]:
    """Yield selectors: `*` is within one label, `**.` any number of labels since 1.19 and one before."""
    if "*" not in name:
        yield {"matchName": name}
        return
    if rule.subdomains != ANY_DEPTH:
        yield {"matchPattern": name}
        return
    part = name.removeprefix("*.") if name.startswith("*.") else name
    if part is name:
        yield {"matchPattern": part}
    yield {"matchPattern": f"**.{part}"}
    first = 1 if part is name else 2
    yield from ({"matchPattern": f"{'*.' * depth}{part}"} for depth in range(first, _OLDER_DEPTH + 1))


def _ports(rule: FirewallRule) -> dict[str, object]:
    if rule.port is None:
        versions = (6,) if ":" in rule.destination else (4,) if is_ip(rule.destination) else (4, 6)
        fields = [{"family": _ECHO[one][0], "type": _ECHO[one][1]} for one in versions]
        return {"icmps": [{"fields": fields}]}
    port: dict[str, object] = {"port": str(rule.port), "protocol": rule.transport}
    if rule.last_port is not None:
        port["endPort"] = rule.last_port
    return {"toPorts": [{"ports": [port]}]}


LANGUAGE = Language(
    name="cilium",
    title="Cilium policies",
    suffix=".yaml",
    comment="#",
    wildcards=_WILDCARDS,
    document="the Cilium policy language and host policy pages (1.20 development) and the 1.19 upgrade notes",
    tried="",
    render=_render,
    remarks=(
        "What is not in a policy is denied to the pods that it selects, as soon as one selects them",
        "Names pass every other name at the same addresses as well; pods must ask kube-dns for them",
        "For nodes, put nodeSelector in the place of endpointSelector; read the page on host policies first",
    ),
)
