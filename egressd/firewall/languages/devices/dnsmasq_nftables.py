"""Rules as nftables sets that dnsmasq fills with the addresses of the names it resolves.

The text is one nftables file; the lines for dnsmasq stand in it behind `#dnsmasq `, because both name the
same sets. A rule is kept by address, so every other name at an address passes as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, Omitted, choose, is_ip, sources_of
from egressd.firewall.languages.devices.comments import as_comments, introduce
from egressd.firewall.languages.devices.placeholder import NOWHERE
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import ANY_DEPTH, Action, FirewallRule
from egressd.model.endpoint import Direction
from egressd.planning.pattern import pattern_covers

WILDCARDS = Wildcards(
    exact=False,
    depth=Depth.ANY,
    apex=True,
    inside_label=False,
    matched_on="the name that dnsmasq is asked for; then its addresses",
)
_TABLE = "inet filter"
_CHAIN = "egressd"
_EXTRACT = "#dnsmasq "
_USE = (
    "# nft -f FILE",
    f"# sed -n 's/^{_EXTRACT}//p' FILE > /etc/dnsmasq.d/egressd.conf && systemctl restart dnsmasq",
    f"# nft insert rule {_TABLE} forward jump {_CHAIN}    # once, where the forward chain does not do it yet",
)
_REMARKS = (
    "This text replaces the last one: give egressd rules both reports to keep what the earlier asked for",
    "A host comes with all names below it, and a wildcard with the name behind its star",
    "A rule is kept by address: every other name that shares one passes as well",
    "The clients must ask this dnsmasq, which must be restarted after the file was loaded",
)
_FAMILIES = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
"""By IP version: what nftables calls the header and the type of an address."""


class _Flow(Struct, frozen=True, order=True, kw_only=True):
    """What may pass between own addresses and a set of others."""

    own: tuple[str, ...]
    versions: tuple[int, ...]
    transport: str
    ports: str
    inbound: bool


class _Plan(Struct):
    """Which flows each domain of dnsmasq, and each plain address, is allowed."""

    domains: dict[str, dict[_Flow, None]] = field(default_factory=dict)
    addresses: dict[_Flow, dict[str, None]] = field(default_factory=dict)
    about: dict[str, dict[str, None]] = field(default_factory=dict)
    """What a domain is for."""

    @property
    def sets(self) -> Mapping[tuple[_Flow, ...], str]:
        """Names of the sets: domains with the same flows share one."""
        flows = dict.fromkeys(_key(some) for some in self.domains.values())
        return {key: f"egressd_{number}" for number, key in enumerate(flows, start=1)}


def _render(asked: RuleSet) -> str:
    """Write sets, a chain that accepts by them, and the lines by which dnsmasq fills them."""
    found = [_choose(rule) for rule in asked.rules]
    plan = _plan(one for one in found if isinstance(one, Entry))
    lines = list(as_comments("#", introduce(asked, LANGUAGE, found)))
    if plan.domains or plan.addresses:
        lines += [*_USE, "", *_dnsmasq(plan), "", *_nftables(plan)]
    return "\n".join(lines) + "\n"


def _choose(rule: FirewallRule) -> Entry | Omitted:
    if rule.action is Action.RESOLVE:
        return Omitted(rule=rule, why="tell dnsmasq a resolver that answers it: server=/NAME/ADDRESS")
    found = choose(rule, WILDCARDS)
    sources = sources_of(rule.sources)
    unknown = ", ".join((*sources.hosts, *sources.others))
    if isinstance(found, Omitted):
        return found
    if why := _no_common_version(rule):
        return Omitted(rule=rule, why=why)
    notes = () if sources.is_known else (f"Sources are not known: put the right one in place of {NOWHERE}",)
    remarks = (f"not from {unknown}, whose address is not known",) if unknown else ()
    return replace(found, notes=notes, remarks=(*found.remarks, *remarks))


def _no_common_version(rule: FirewallRule) -> str:
    """Say that an address can't be reached from the sources, which are of the other version."""
    version = 6 if ":" in rule.destination else 4
    if not is_ip(rule.destination) or version in _flow(rule).versions:
        return ""
    return f"no source address of IPv{version} is known"


def _plan(entries: Iterable[Entry]) -> _Plan:
    plan = _Plan()
    wildcards = []
    for entry in entries:
        flow = _flow(entry.rule)
        for name in (one.lower() for one in entry.names):
            if is_ip(name):
                plan.addresses.setdefault(flow, {})[name] = None
                continue
            domain = name.removeprefix("*.")
            plan.domains.setdefault(domain, {})[flow] = None
            about = f"{entry.rule.destination}, {entry.rule.need.value}: {'; '.join(entry.rule.services)}"
            plan.about.setdefault(domain, {})[about] = None
        wildcards.append((entry.rule, flow))
    for rule, flow in wildcards:
        for domain in plan.domains:
            if _reaches(rule, domain):
                plan.domains[domain][flow] = None
    return plan


def _flow(rule: FirewallRule) -> _Flow:
    own = sources_of(rule.sources)
    known = (*own.v4, *own.v6) or (NOWHERE,)
    return _Flow(
        own=known,
        versions=tuple(sorted({6 if ":" in one else 4 for one in known})),
        transport=rule.transport.lower(),
        ports=rule.ports,
        inbound=rule.direction is Direction.INBOUND,
    )


def _reaches(rule: FirewallRule, domain: str) -> bool:
    """Return whether a wildcard covers a domain or a name below it.

    dnsmasq takes the longest domain that fits a name, and no other: it must carry the flows of the shorter.
    """
    if not rule.is_wildcard:
        return False
    deep = rule.subdomains == ANY_DEPTH
    below = deep and domain.endswith(rule.destination.removeprefix("*"))
    return below or pattern_covers(rule.destination, domain, deep=deep)


def _key(flows: Iterable[_Flow]) -> tuple[_Flow, ...]:
    return tuple(sorted(flows))


def _versions(flows: Iterable[_Flow]) -> tuple[int, ...]:
    return tuple(sorted({version for one in flows for version in one.versions}))


def _dnsmasq(plan: _Plan) -> Iterator[str]:
    """Yield a line for each domain: dnsmasq reads 1,025 characters of a line, which two sets never fill."""
    for domain, flows in plan.domains.items():
        yield from as_comments("#", plan.about[domain])
        key = _key(flows)
        family, table = _TABLE.split()
        sets = (f"{one}#{family}#{table}#{plan.sets[key]}_v{one}" for one in _versions(key))
        yield f"{_EXTRACT}nftset=/{domain}/{','.join(sets)}"


def _nftables(plan: _Plan) -> Iterator[str]:
    """Yield a file that can be loaded again: the chain and the sets are emptied first.

    An address lives a day in its set, and every new connection renews that: what is in use never runs out,
    and what a name no longer has does.
    """
    yield f"add table {_TABLE}"
    yield f"add chain {_TABLE} {_CHAIN}"
    yield f"flush chain {_TABLE} {_CHAIN}"
    for key, name in plan.sets.items():
        for version in _versions(key):
            kind = _FAMILIES[version][1]
            yield f"add set {_TABLE} {name}_v{version} {{ type {kind}; flags dynamic,timeout; timeout 1d; }}"
            yield f"flush set {_TABLE} {name}_v{version}"
    yield f"table {_TABLE} {{"
    yield f"    chain {_CHAIN} {{"
    yield from (f"        {line}" for line in _rules(plan))
    yield "    }"
    yield "}"


def _rules(plan: _Plan) -> Iterator[str]:
    for key, name in plan.sets.items():
        for flow in key:
            for version in flow.versions:
                chosen = f"@{name}_v{version}"
                header = _FAMILIES[version][0]
                side = "saddr" if flow.inbound else "daddr"
                renewed = f"update {chosen} {{ {header} {side} }}"
                yield f"{_match(flow, version, chosen)} {renewed} accept"
    for flow, addresses in plan.addresses.items():
        for version in flow.versions:
            others = [one for one in addresses if (":" in one) == (version == 6)]
            if others:
                yield f"{_match(flow, version, _anonymous(others))} accept"


def _match(flow: _Flow, version: int, others: str) -> str:
    header = _FAMILIES[version][0]
    own_side, other_side = ("daddr", "saddr") if flow.inbound else ("saddr", "daddr")
    own = [one for one in flow.own if (":" in one) == (version == 6)]
    parts = [f"{header} {own_side} {_anonymous(own)}", f"{header} {other_side} {others}"]
    if flow.transport == "icmp":
        parts.append(f"meta l4proto {'icmp' if version == 4 else 'ipv6-icmp'}")
    else:
        parts.append(f"{flow.transport} dport {flow.ports}")
    return " ".join(parts)


def _anonymous(values: Iterable[str]) -> str:
    return f"{{ {', '.join(values)} }}"


LANGUAGE = Language(
    name="dnsmasq-nftables",
    title="nftables with dnsmasq",
    suffix=".nft",
    comment="#",
    wildcards=WILDCARDS,
    document="dnsmasq(8) 2.90 and nft(8) 1.0.6",
    tried="dnsmasq 2.90 and nftables 1.0.6",
    render=_render,
    remarks=_REMARKS,
)
