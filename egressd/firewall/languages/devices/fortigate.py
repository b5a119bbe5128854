"""FortiOS: address objects for hosts and wildcards, services, and one policy for each set of ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import (
    Entry,
    Omitted,
    choose,
    is_ip,
    other_family,
    sources_of,
)
from egressd.firewall.languages.devices.comments import as_comments, introduce
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.languages.devices.placeholder import NOWHERE, Placeholders, placeholder_names
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Need

_WILDCARDS = Wildcards(
    depth=Depth.UNKNOWN, apex=None, inside_label=False, matched_on="DNS answers that pass through the unit"
)
_LONGEST_NAME, _LONGEST_POLICY = 63, 35
"""Of objects up to 6.0 (79 since), and of policies."""
_NEEDS = {Need.REQUIRED: "req", Need.CONDITIONAL: "cond", Need.OPTIONAL: "opt"}
_ON_A_LINE = 8
"""Members of a list that one command adds."""


class _Key(Struct, frozen=True, kw_only=True):
    """What rules must share to become one policy."""

    words: str
    leg: Leg
    inbound: bool
    transport: str
    ports: str
    sources: tuple[str, ...]


class _Script(Struct):
    """Objects by table, and policies."""

    v4: dict[str, list[str]] = field(default_factory=dict)
    v6: dict[str, list[str]] = field(default_factory=dict)
    services: dict[str, list[str]] = field(default_factory=dict)
    policies: list[list[str]] = field(default_factory=list)
    exempt: dict[str, list[str]] = field(default_factory=dict)
    _names: Names = field(default_factory=lambda: Names(_LONGEST_NAME))
    _policy_names: Names = field(default_factory=lambda: Names(_LONGEST_POLICY))

    def address(self, text: str, *, version: int) -> str:
        """Define an object of a family, and return its name."""
        name = self._names.name(text if version == 4 else f"{text} v6")
        table = self.v4 if version == 4 else self.v6
        if not is_ip(text):
            table[name] = ["set type fqdn", f'set fqdn "{text}"']
        elif version == 4:
            table[name] = [f"set subnet {text} 255.255.255.255"]
        else:
            table[name] = [f"set ip6 {text}/128"]
        return name

    def placeholder(self, name: str) -> str:
        """Define the object that stands for an address that is not known, and return its name."""
        self.v4[name] = [f"set subnet {NOWHERE} 255.255.255.255", 'set comment "Replace the address"']
        return name

    def service(self, key: _Key) -> tuple[str, ...]:
        """Define the services of a policy, and return their names."""
        kind = key.transport.lower()
        if not key.ports:
            self.services["egressd-icmp"] = ["set protocol ICMP"]
            self.services["egressd-icmp6"] = ["set protocol ICMP6"]
            return "egressd-icmp", "egressd-icmp6"
        name = self._names.name(f"{kind}-{key.ports}")
        self.services[name] = ["set protocol TCP/UDP/SCTP", f"set {kind}-portrange {key.ports}"]
        return (name,)

    def exempt_name(self, text: str) -> str:
        """Return the name of an object for exemptions."""
        return self._names.name(f"{text} exempt")

    def policy_name(self, key: _Key, others: tuple[str, ...]) -> str:
        """Return the name of a policy: it is refused where the same one exists, and no other is."""
        return self._policy_names.marked(key.words, (key, others))


def _render(asked: RuleSet) -> str:
    """Write a script for the console; policies get the next free numbers."""
    unknown = placeholder_names(asked)
    found = [_choose(rule, unknown) for rule in asked.rules]
    script = _Script()
    groups: dict[_Key, list[Entry]] = {}
    for one in found:
        if isinstance(one, Omitted):
            continue
        if one.rule.action is Action.EXEMPT:
            _exempt(script, one)
        else:
            groups.setdefault(_key(one.rule), []).append(one)
    for key, some in groups.items():
        _add(script, key, some, unknown.of(some[0].rule))
    lines = [*as_comments("#", introduce(asked, LANGUAGE, found))]
    for table, entries in (
        ("firewall address", script.v4),
        ("firewall address6", script.v6),
        ("firewall service custom", script.services),
        ("firewall wildcard-fqdn custom", script.exempt),
    ):
        lines += _table(table, entries)
    lines += _policies(script.policies)
    return "\n".join(lines) + "\n"


def _choose(rule: FirewallRule, unknown: Placeholders) -> Entry | Omitted:
    found = choose(rule, _WILDCARDS, actions=(Action.ALLOW, Action.EXEMPT))
    if isinstance(found, Omitted):
        return found
    if why := other_family(rule):
        return Omitted(rule=rule, why=why)
    remarks = found.remarks
    if rule.is_wildcard and sources_of(rule.sources).v6:
        remarks = (*remarks, "whether an IPv6 object can be a wildcard is not documented")
    return replace(found, remarks=remarks, notes=tuple(_notes(rule, unknown)))


def _notes(rule: FirewallRule, unknown: Placeholders) -> Iterator[str]:
    if rule.action is Action.EXEMPT:
        yield "Wildcard objects are for the ssl-exempt list of your ssl-ssh-profile: add them there"
    else:
        yield from unknown.notes(rule)


def _key(rule: FirewallRule) -> _Key:
    inbound = rule.direction is Direction.INBOUND
    place = {Leg.TO_PROXY: "toproxy", Leg.FROM_PROXY: "fromproxy"}.get(rule.leg, "in" if inbound else "")
    words = (_NEEDS[rule.need], rule.transport.lower(), rule.ports, place)
    return _Key(
        words="-".join(one for one in words if one),
        leg=rule.leg,
        inbound=inbound,
        transport=rule.transport,
        ports=rule.ports,
        sources=tuple(sorted(set(rule.sources))),
    )


def _exempt(script: _Script, entry: Entry) -> None:
    for name in entry.names:
        script.exempt[script.exempt_name(name)] = [f'set wildcard-fqdn "{name}"']


def _add(script: _Script, key: _Key, some: list[Entry], unknown: str) -> None:
    """Add the objects and the policy of a group, for each family that its sources have."""
    own = sources_of(key.sources)
    others = tuple(dict.fromkeys(name for one in some for name in one.names))
    hosts4 = [script.address(one, version=4) for one in (*own.v4, *own.hosts)]
    if own.others or not key.sources:
        hosts4.append(script.placeholder(unknown))
    hosts6 = [script.address(one, version=6) for one in own.v6]
    others4 = [script.address(one, version=4) for one in others if _has(one, 4)] if hosts4 else []
    others6 = [script.address(one, version=6) for one in others if _has(one, 6)] if hosts6 else []
    if not others4:
        hosts4 = []
    if not others6:
        hosts6 = []
    lines = [f'set name "{script.policy_name(key, others)}"', 'set srcintf "any"', 'set dstintf "any"']
    for suffix, hosts, far in (("", hosts4, others4), ("6", hosts6, others6)):
        inward, outward = (far, hosts) if key.inbound else (hosts, far)
        lines += [*_list(f"srcaddr{suffix}", inward), *_list(f"dstaddr{suffix}", outward)]
    lines += [*_list("service", list(script.service(key))), 'set schedule "always"', "set action accept"]
    lines += ["set logtraffic all", *(["set nat enable"] if _leaves(key, others) else [])]
    if hosts4 or hosts6:
        script.policies.append(lines)


def _has(text: str, version: int) -> bool:
    """Return whether a destination can be in a family; names can be in both."""
    return not is_ip(text) or ipaddress.ip_address(text).version == version


def _leaves(key: _Key, others: tuple[str, ...]) -> bool:
    """Return whether the connections go out to the Internet, where source addresses are translated."""
    private = all(is_ip(one) and ipaddress.ip_address(one).is_private for one in others)
    return not (private or key.inbound or key.leg is Leg.TO_PROXY)


def _table(name: str, entries: dict[str, list[str]]) -> Iterator[str]:
    if not entries:
        return
    yield from ("", f"config {name}")
    for entry, settings in entries.items():
        yield from (f'    edit "{entry}"', *(f"        {one}" for one in settings), "    next")
    yield "end"


def _policies(policies: list[list[str]]) -> Iterator[str]:
    if not policies:
        return
    yield from ("", "config firewall policy")
    for lines in policies:
        yield from ("    edit 0", *(f"        {one}" for one in lines), "    next")
    yield "end"


def _list(key: str, names: list[str]) -> Iterator[str]:
    """Yield commands that fill a list: `set` for the first members, `append` for the others."""
    for start in range(0, len(names), _ON_A_LINE):
        some = " ".join(f'"{one}"' for one in names[start : start + _ON_A_LINE])
        yield f"{'append' if start else 'set'} {key} {some}"


LANGUAGE = Language(
    name="fortigate",
    title="the FortiGate console",
    suffix=".conf",
    comment="#",
    wildcards=_WILDCARDS,
    document="the FortiOS CLI references of 6.4.3 and 7.0.9 and the 7.4 administration guide",
    tried="",
    render=_render,
    remarks=(
        "Needs FortiOS 6.4 or later; interfaces are any: put yours in their place",
        "New policies stand at the end, and an earlier deny wins: move them above it",
        "A wildcard object is filled from DNS answers that pass through the unit: empty until a host asks",
        "Hosts and unit must use the same resolver, and no DNS over HTTPS",
        "Objects with names pass every other name at the same address as well",
        "Policies to the Internet have set nat enable: take it out where another device translates",
    ),
)
