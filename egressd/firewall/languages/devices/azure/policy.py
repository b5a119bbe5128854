"""Make rule collections of an Azure Firewall policy of the rules to ask for.

Web protocols become application rules, which compare SNI or Host; everything else becomes network rules,
which know no wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct
from msgspec.structs import replace

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.azure.model import (
    Addresses,
    ApplicationRule,
    Collection,
    NetworkRule,
    Policy,
    PolicyRule,
    Unknown,
)
from egressd.firewall.languages.devices.choice import (
    FROM_NAMES,
    Entry,
    Omitted,
    choose,
    is_ip,
    sources_of,
)
from egressd.firewall.languages.devices.comments import introduce, printable_line
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Protocol

APPLICATION = Wildcards(
    depth=Depth.ANY, apex=False, inside_label=False, leading_part=True, matched_on="SNI, or Host for http"
)
NETWORK = Wildcards(
    depth=Depth.NONE, apex=False, inside_label=False, matched_on="addresses that the firewall resolves"
)
REMARKS = (
    "One-label wildcards pass deeper names as well; network rules know no wildcards",
    "Network rules with names work only with the DNS proxy of the policy turned on",
    "Network rules are judged before application rules, whatever the priorities",
    "Let nothing else be in the rule collection group of this name, and give it a priority of its own",
)
_WEB: dict[str, str] = {
    Protocol.HTTPS.value: "Https",
    Protocol.WSS.value: "Https",
    Protocol.TLS.value: "Https",
    Protocol.HTTP.value: "Http",
}
_LAST_WEB_PORT = 64000
_MOST_PORTS = 64
"""A longer range is no list of protocols any more."""
_MOST_FQDNS = 100
_TAG = re.compile(r"[A-Za-z0-9]+(\.[A-Za-z0-9]+)*")
_LONGEST_GROUP, _LONGEST_NAME, _LONGEST_DESCRIPTION = 60, 80, 300
_IPV4_ONLY = "Azure Firewall knows no IPv6: {} left out"


class _Key(Struct, frozen=True, kw_only=True):
    """What rules must share to become one."""

    name: str
    exempt: bool
    web: tuple[tuple[str, int], ...]
    """Empty for a network rule."""
    transport: str
    ports: str
    sources: Addresses
    addresses: Addresses | None
    """Destination addresses; None where names follow."""


def make_policy(asked: RuleSet, language: Language) -> Policy:
    """Return the collections of a policy, required rules first."""
    found = [_choose(rule) for rule in asked.rules]
    groups: dict[_Key, list[Entry]] = {}
    for one in found:
        if isinstance(one, Entry):
            for key in _keys(one):
                groups.setdefault(key, []).append(one)
    names = Names(_LONGEST_NAME, prefix="")
    rules = [rule for key, some in groups.items() for rule in _rules(key, some, names)]
    tags = tuple(_tag_rules(groups, names))
    exempt = [one for one in rules if isinstance(one, ApplicationRule) and one.uninspected]
    allowed = [one for one in rules if isinstance(one, ApplicationRule) and not one.uninspected]
    network = [one for one in rules if isinstance(one, NetworkRule)]
    kinds = (
        ("egressd-no-inspection", 100, exempt),
        ("egressd-network", 200, network),
        ("egressd-application", 300, allowed),
    )
    return Policy(
        group=_group(asked),
        lines=introduce(asked, language, found),
        collections=tuple(
            Collection(name=name, priority=priority, rules=tuple(some))
            for name, priority, some in kinds
            if some
        ),
        tags=Collection(name="egressd-service-tags", priority=100, rules=tags) if tags else None,
    )


def _group(asked: RuleSet) -> str:
    """Name the group: what failed is added beside what was added before, and a plan replaces the last one."""
    run = asked.origin.run
    return Names(_LONGEST_GROUP).name(run) if run else "egressd"


def _choose(rule: FirewallRule) -> Entry | Omitted:
    web = _web_ports(rule)
    actions = (Action.ALLOW, Action.EXEMPT) if web else (Action.ALLOW,)
    found = choose(rule, APPLICATION if web else NETWORK, actions=actions)
    if isinstance(found, Omitted):
        return found
    if why := _impossible(rule):
        return Omitted(rule=rule, why=why)
    return replace(found, remarks=(*found.remarks, *_remarks(rule)), notes=tuple(_notes(rule)))


def _impossible(rule: FirewallRule) -> str:
    """Say what Azure Firewall can't express in a rule; empty: nothing."""
    own = sources_of(rule.sources)
    if own.v6 and not (own.v4 or own.hosts or own.others):
        return _IPV4_ONLY.format("every source is")
    if ":" in rule.destination:
        return _IPV4_ONLY.format("the address is")
    if rule.direction is Direction.INBOUND and not is_ip(rule.destination):
        return FROM_NAMES
    return ""


def _remarks(rule: FirewallRule) -> Iterator[str]:
    if rule.transport == "ICMP":
        yield "Azure Firewall passes ICMP between networks, not to the Internet"


def _notes(rule: FirewallRule) -> Iterator[str]:
    own = sources_of(rule.sources)
    if own.v6:
        yield _IPV4_ONLY.format(f"the source {', '.join(own.v6)} is")
    for one in (*own.hosts, *own.others):
        yield f"{one} is no address: put its addresses into the parameter for {_unknown(rule).value}"
    if not rule.sources:
        yield f"Sources are not known: put their addresses into the parameter for {Unknown.HOSTS.value}"
    if _tags(rule):
        yield "Service tags are in a group of their own that is off: they pass far more than the hosts"


def _web_ports(rule: FirewallRule) -> tuple[tuple[str, int], ...]:
    """Return the protocols and ports of an application rule; empty: it has to be a network rule."""
    kinds = tuple(dict.fromkeys(_WEB.get(one, "") for one in rule.protocols))
    plain = rule.direction is Direction.OUTBOUND and rule.leg is not Leg.TO_PROXY
    if rule.transport != "TCP" or rule.port is None or not plain or not kinds or "" in kinds:
        return ()
    last = rule.last_port or rule.port
    if is_ip(rule.destination) or last > _LAST_WEB_PORT or last - rule.port >= _MOST_PORTS:
        return ()
    return tuple((kind, port) for kind in kinds for port in range(rule.port, last + 1))


def _keys(entry: Entry) -> Iterator[_Key]:
    """Yield one key for the known sources of a rule, and one for those that are not known."""
    rule = entry.rule
    web = _web_ports(rule)
    own = sources_of(rule.sources)
    parts: list[Addresses] = [own.v4] if own.v4 else []
    parts += [_unknown(rule)] if own.hosts or own.others or not rule.sources else []
    kind = "-".join(dict.fromkeys(one.lower() for one, _ in web)) or rule.transport.lower()
    place = "-".join(one for one in (rule.need.value, kind, rule.ports) if one)
    for part in parts:
        inbound = rule.direction is Direction.INBOUND
        plain = () if inbound or not is_ip(rule.destination) else (rule.destination,)
        yield _Key(
            name=f"{place}{_leg(rule)}",
            exempt=rule.action is Action.EXEMPT,
            web=web,
            transport=rule.transport,
            ports=rule.ports or "*",
            sources=(rule.destination,) if inbound else part,
            addresses=part if inbound else (plain or None),
        )


def _leg(rule: FirewallRule) -> str:
    if rule.action is Action.EXEMPT:
        return "-no-inspection"
    if rule.direction is Direction.INBOUND:
        return "-inbound"
    return {Leg.TO_PROXY: "-to-proxy", Leg.FROM_PROXY: "-from-proxy"}.get(rule.leg, "")


def _unknown(rule: FirewallRule) -> Unknown:
    return Unknown.PROXY if rule.leg is Leg.FROM_PROXY else Unknown.HOSTS


def _rules(key: _Key, some: list[Entry], names: Names) -> Iterator[PolicyRule]:
    """Yield the rules of a key: one, unless it has very many hosts."""
    hosts = tuple(dict.fromkeys(name for one in some for name in one.names))
    about = _description(some)
    if not key.web and key.addresses is not None:
        yield _network(key, names, about, addresses=key.addresses)
        return
    for start in range(0, len(hosts), _MOST_FQDNS):
        part = hosts[start : start + _MOST_FQDNS]
        if not key.web:
            yield _network(key, names, about, fqdns=part)
            continue
        yield ApplicationRule(
            name=_name(key, names, part),
            description=about,
            sources=key.sources,
            protocols=key.web,
            fqdns=part,
            uninspected=key.exempt,
        )


def _network(
    key: _Key, names: Names, about: str, *, addresses: Addresses = (), fqdns: tuple[str, ...] = ()
) -> NetworkRule:
    return NetworkRule(
        name=_name(key, names, (addresses, fqdns)),
        description=about,
        sources=key.sources,
        transport=key.transport,
        ports=(key.ports,),
        addresses=addresses,
        fqdns=fqdns,
    )


def _name(key: _Key, names: Names, of: object) -> str:
    """Return a name that tells the rule apart by all that is in it; its first words are for people."""
    return names.numbered(key.name, (key, of))


def _description(some: Iterable[Entry]) -> str:
    """Say what the rule is for, by as many services as there is room for."""
    text = ""
    for service in dict.fromkeys(printable_line(text) for one in some for text in one.rule.services):
        longer = f"{text}; {service}" if text else f"For {service}"
        if len(longer) <= _LONGEST_DESCRIPTION:
            text = longer
    return text or "Asked for by egressd"


def _tags(rule: FirewallRule) -> tuple[str, ...]:
    plain = rule.direction is Direction.OUTBOUND and rule.leg is not Leg.TO_PROXY and rule.transport != "ICMP"
    allowed = plain and rule.action is Action.ALLOW
    return tuple(one for one in rule.service_tags if _TAG.fullmatch(one)) if allowed else ()


def _tag_rules(groups: dict[_Key, list[Entry]], names: Names) -> Iterator[NetworkRule]:
    """Yield network rules with service tags, beside the rules with names, never in their place."""
    for key, some in groups.items():
        tags = tuple(dict.fromkeys(tag for one in some for tag in _tags(one.rule)))
        if tags:
            plain = replace(key, name=f"{key.name}-tags")
            yield _network(plain, names, _description(some), addresses=tags)
