"""PAN-OS: custom URL categories for what has a name in it, address objects for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from egressd.firewall.rule import ANY_DEPTH, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Need, Protocol

CATEGORY = Wildcards(
    depth=Depth.AS_ASKED, apex=False, inside_label=False, matched_on="SNI or certificate name, Host, URL"
)
_OBJECT = Wildcards(
    depth=Depth.NONE, apex=False, inside_label=False, matched_on="addresses that the firewall resolves"
)
_WEB = frozenset({Protocol.HTTPS.value, Protocol.WSS.value, Protocol.TLS.value, Protocol.HTTP.value})
_USUAL_PORTS = frozenset({80, 443})
_LONGEST_OBJECT, _LONGEST_CATEGORY = 63, 31
_LONGEST_ENTRY = 255
_NEEDS = {Need.REQUIRED: "req", Need.CONDITIONAL: "cond", Need.OPTIONAL: "opt"}


class _Script(Struct):
    """Commands in the order they are needed: objects, then rules."""

    objects: dict[str, None] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Of the rules, behind their rulebase, to move them."""
    _addresses: Names = field(default_factory=lambda: Names(_LONGEST_OBJECT))
    _rules: Names = field(default_factory=lambda: Names(_LONGEST_OBJECT))
    _categories: Names = field(default_factory=lambda: Names(_LONGEST_CATEGORY))
    _services: Names = field(default_factory=lambda: Names(_LONGEST_OBJECT))

    def address(self, text: str) -> str:
        """Define the object of an address or a host, and return its name."""
        name = self._addresses.name(text)
        kind = f"ip-netmask {text}/{128 if ':' in text else 32}" if is_ip(text) else f"fqdn {text}"
        self.objects[f"set address {name} {kind}"] = None
        return name

    def placeholder(self, name: str) -> str:
        """Define the object that stands for an address that is not known, and return its name."""
        self.objects[f"set address {name} ip-netmask {NOWHERE}/32"] = None
        return name

    def service(self, rule: FirewallRule) -> str:
        """Define the service of a rule's ports, and return its name."""
        kind = rule.transport.lower()
        name = self._services.name(f"{kind}-{rule.ports}")
        self.objects[f"set service {name} protocol {kind} port {rule.ports}"] = None
        return name

    def category(self, words: str, entries: Sequence[str]) -> str:
        """Define a custom URL category, one entry a command, and return its name."""
        name = self._categories.marked(words, entries)
        self.objects[f'set profiles custom-url-category {name} type "URL List"'] = None
        for entry in entries:
            self.objects[f"set profiles custom-url-category {name} list {entry}"] = None
        return name

    def rule_name(self, words: str, content: object) -> str:
        """Return the name of a rule: a rule of another content, pasted later, changes nothing in it."""
        return self._rules.marked(words, content)


class _Key(Struct, frozen=True, kw_only=True):
    """What rules must share to become one."""

    words: str
    action: Action
    leg: Leg
    inbound: bool
    by_category: bool
    transport: str
    ports: str
    sources: tuple[str, ...]


def _render(asked: RuleSet) -> str:
    """Write commands for the configuration mode; nothing is committed."""
    unknown = placeholder_names(asked)
    found = [_choose(rule, unknown) for rule in asked.rules]
    groups: dict[_Key, list[Entry]] = {}
    for one in found:
        if isinstance(one, Entry):
            groups.setdefault(_key(one.rule), []).append(one)
    script = _Script()
    for key, some in groups.items():
        _add(script, key, some, unknown.of(some[0].rule))
    lines = [*as_comments("#", introduce(asked, LANGUAGE, found))]
    for part in (list(script.objects), script.rules):
        lines += ["", *part] if part else []
    if script.names:
        lines += ["", *as_comments("#", _moves(script.names))]
    return "\n".join(lines) + "\n"


def _moves(names: list[str]) -> Iterator[str]:
    yield "New rules stand at the end, and the first rule that matches decides. To put them on top, type:"
    yield from (f"move rulebase {name} top" for name in reversed(names))


def _choose(rule: FirewallRule, unknown: Placeholders) -> Entry | Omitted:
    by_category = _has_category(rule)
    actions = (Action.ALLOW, Action.EXEMPT) if by_category else (Action.ALLOW,)
    found = choose(rule, CATEGORY if by_category else _OBJECT, actions=actions)
    if isinstance(found, Omitted):
        return found
    if why := other_family(rule):
        return Omitted(rule=rule, why=why)
    if any(len(name) + 1 > _LONGEST_ENTRY for name in found.names):
        return Omitted(rule=rule, why=f"an entry has at most {_LONGEST_ENTRY} characters")
    remarks = (*found.remarks, *_remarks(rule, by_category=by_category))
    return replace(found, remarks=remarks, notes=tuple(unknown.notes(rule)))


def _remarks(rule: FirewallRule, *, by_category: bool) -> Iterator[str]:
    if by_category and rule.port not in _USUAL_PORTS:
        yield "whether an entry without a port is compared on this port is not documented"


def _has_category(rule: FirewallRule) -> bool:
    """Return whether the name is seen in the connection itself: in the handshake or in the request."""
    named = not is_ip(rule.destination) and bool(rule.protocols) and set(rule.protocols) <= _WEB
    outward = rule.direction is Direction.OUTBOUND and rule.leg is not Leg.TO_PROXY
    return named and outward and rule.transport == "TCP"


def _key(rule: FirewallRule) -> _Key:
    inbound = rule.direction is Direction.INBOUND
    what = {Action.EXEMPT: "exempt"}.get(rule.action, _NEEDS[rule.need])
    place = {Leg.TO_PROXY: "toproxy", Leg.FROM_PROXY: "fromproxy"}.get(rule.leg, "in" if inbound else "")
    words = "-".join(one for one in (what, rule.transport.lower(), rule.ports, place) if one)
    return _Key(
        words=words,
        action=rule.action,
        leg=rule.leg,
        inbound=inbound,
        by_category=_has_category(rule),
        transport=rule.transport,
        ports=rule.ports,
        sources=tuple(sorted(set(rule.sources))),
    )


def _add(script: _Script, key: _Key, some: list[Entry], unknown: str) -> None:
    """Add the objects and the rule of a group."""
    rule = some[0].rule
    own = sources_of(key.sources)
    hosts = [script.address(one) for one in (*own.v4, *own.v6, *own.hosts)]
    if own.others or not key.sources:
        hosts.append(script.placeholder(unknown))
    names = tuple(dict.fromkeys(name for one in some for name in one.names))
    if key.by_category:
        entries = dict.fromkeys(_entry(one.rule, name) for one in some for name in one.names)
        category, others = script.category(key.words, tuple(entries)), ["any"]
    else:
        category, others = "any", [script.address(one) for one in names]
    inward, outward = (others, hosts) if key.inbound else (hosts, others)
    name = script.rule_name(key.words, (key, names, category))
    start = f"from any to any source {_members(inward)} destination {_members(outward)}"
    if key.action is Action.EXEMPT:
        named = f"decryption rules {name}"
        rest = f"category {category} action no-decrypt type ssl-forward-proxy"
    else:
        named = f"security rules {name}"
        with_ports = f"application any service {script.service(rule)}" if rule.ports else _ICMP
        rest = f"{with_ports} category {category} action allow log-end yes"
    script.rules.append(f"set rulebase {named} {start} {rest}")
    script.names.append(named)


_ICMP = "application [ icmp ping ipv6-icmp ] service application-default"


def _members(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"[ {' '.join(names)} ]"


def _entry(rule: FirewallRule, name: str) -> str:
    """Return an entry with its slash: without one, names that go on behind it could match.

    `^` is one label, `*` one or more.
    """
    one_label = name.startswith("*.") and rule.subdomains != ANY_DEPTH
    return f"^{name[1:]}/" if one_label else f"{name}/"


LANGUAGE = Language(
    name="paloalto",
    title="PAN-OS set commands",
    suffix=".txt",
    comment="#",
    wildcards=CATEGORY,
    document="the Palo Alto Networks pages on URL category exceptions and custom categories (PAN-OS 10.2)",
    tried="",
    render=_render,
    remarks=(
        "Paste it in configuration mode, after set cli scripting-mode on; look at it, then commit",
        "Rules are for any zone: put yours in the place of from any to any",
        "Address objects with a name pass every name at the same address, and know no wildcards",
        "In the entries ^ is one label and * one or more; the slash keeps names that go on behind it out",
        "Entries are compared with the name that a client asks for, not with where it connects to",
    ),
)
