"""Rules as acl and http_access lines of squid.

Names are exact hosts or anchored regular expressions, so that squid allows what is asked for and no more:
`dstdomain .x` would allow `x` as well, and squid does not start with overlapping entries of that form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.choice import Entry, Omitted, is_ip, sources_of
from egressd.firewall.languages.devices.comments import as_comments, introduce
from egressd.firewall.languages.devices.placeholder import NOWHERE
from egressd.firewall.languages.fit import Reach, fit
from egressd.firewall.languages.language import Depth, Language, Wildcards
from egressd.firewall.rule import ANY_DEPTH, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Protocol
from egressd.wording import bracketed

WILDCARDS = Wildcards(
    depth=Depth.AS_ASKED,
    apex=False,
    inside_label=True,
    matched_on="the host of CONNECT, or of the URL with plain HTTP",
)
_TUNNELS = frozenset({Protocol.HTTPS.value, Protocol.TLS.value, Protocol.WSS.value})
_SAFE_PORTS = frozenset({80, 21, 443, 70, 210, 280, 488, 591, 777})
_FIRST_UNREGISTERED = 1025
"""From here on every port is in Safe_ports. Both are as squid's own squid.conf has them."""
_ELSEWHERE = {
    Leg.TO_PROXY: "the way to the proxy is for the firewall between hosts and proxy",
    Leg.FROM_PROXY: "the way from the proxy on is for the firewall behind it",
    Leg.BY_GATEWAY: "no rule is needed, because the Azure Arc gateway forwards it",
}
_PLACE = (
    "Put this file where squid reads it before http_access deny all, as it does /etc/squid/conf.d/ on Debian",
    "Then: squid -k parse && squid -k reconfigure",
)
_PORTS = "Your own http_access lines find these ports in Safe_ports and SSL_ports from now on, too."
_ORDER = "These lines must stand before your own ssl_bump lines, in a squid that was built with OpenSSL."


class _Use(StrEnum):
    """What a line allows or spares."""

    CONNECT = "TLS through CONNECT"
    PLAIN = "plain HTTP"
    EXEMPT = "TLS that is not inspected"


class _Group(Struct, frozen=True, kw_only=True):
    """What rules share that stand in one http_access line."""

    use: _Use
    proxy: str
    sources: tuple[str, ...]
    ports: str

    @property
    def heading(self) -> str:
        """What the lines of the group are for."""
        by = f", at {self.proxy}" if self.proxy else ""
        return f"{self.use.value} to port {self.ports}, from {', '.join(self.sources)}{by}"


def _render(asked: RuleSet) -> str:
    """Write access lines for what clients send to a squid, and splice lines for what it must not inspect."""
    behind_proxy = any(one.leg is not Leg.DIRECT for one in asked.rules)
    found = [_choose(rule, behind_proxy=behind_proxy) for rule in asked.rules]
    groups: dict[_Group, list[FirewallRule]] = {}
    for one in found:
        if isinstance(one, Entry):
            for use in _uses(one.rule):
                groups.setdefault(_group(one.rule, use), []).append(one.rule)
    lines = [*as_comments("#", introduce(asked, LANGUAGE, found)), *_ports(groups)]
    for group, rules in groups.items():
        lines += _lines(group, rules)
    return "\n".join(lines) + "\n"


def _choose(rule: FirewallRule, *, behind_proxy: bool) -> Entry | Omitted:
    if why := _not_for_squid(rule, behind_proxy=behind_proxy):
        return Omitted(rule=rule, why=why)
    sources = sources_of(rule.sources)
    unknown = ", ".join((*sources.hosts, *sources.others))
    found = fit(rule, WILDCARDS)
    if found.reach is Reach.IMPOSSIBLE:
        return Omitted(rule=rule, why=found.why)
    notes = () if sources.is_known else (f"Sources are not known: put the right one in place of {NOWHERE}",)
    remarks = (f"not from {unknown}, whose address is not known",) if unknown else ()
    return Entry(rule=rule, names=(found.form,), remarks=remarks, notes=notes)


def _not_for_squid(rule: FirewallRule, *, behind_proxy: bool) -> str:
    """Say why no squid has a line for it; empty if one has."""
    if rule.action is Action.RESOLVE:
        return "squid answers no DNS queries: ask for it at the resolver"
    if rule.action is Action.ALLOW and rule.leg in _ELSEWHERE:
        return _ELSEWHERE[rule.leg]
    if rule.direction is Direction.INBOUND:
        return "squid is for connections outward"
    if not _uses(rule) or (behind_proxy and rule.action is Action.ALLOW and rule.leg is Leg.DIRECT):
        return "programs send it past a proxy: ask for it at the firewall"
    return ""


def _uses(rule: FirewallRule) -> tuple[_Use, ...]:
    tunnels = bool(_TUNNELS.intersection(rule.protocols))
    if rule.action is Action.EXEMPT:
        return (_Use.EXEMPT,) if tunnels else ()
    plain = Protocol.HTTP.value in rule.protocols
    return (*((_Use.CONNECT,) if tunnels else ()), *((_Use.PLAIN,) if plain else ()))


def _group(rule: FirewallRule, use: _Use) -> _Group:
    sources = sources_of(rule.sources)
    known = (*sources.v4, *sources.v6) or (NOWHERE,)
    return _Group(use=use, proxy=rule.proxy, sources=known, ports=rule.ports)


def _ports(groups: Iterable[_Group]) -> Iterator[str]:
    """Yield ports that squid's usual `deny !Safe_ports` and `deny CONNECT !SSL_ports` would refuse first."""
    safe, tunnels = dict[str, None](), dict[str, None]()
    for group in groups:
        if group.use is not _Use.EXEMPT:
            first, _, last = group.ports.partition("-")
            if int(first) < _FIRST_UNREGISTERED and not (not last and int(first) in _SAFE_PORTS):
                safe[group.ports] = None
            if group.use is _Use.CONNECT and group.ports != "443":
                tunnels[group.ports] = None
    if safe or tunnels:
        yield ""
        yield from as_comments("#", (_PORTS,))
        yield from (f"acl Safe_ports port {one}" for one in safe)
        yield from (f"acl SSL_ports port {one}" for one in tunnels)


def _acl_prefix(group: _Group, names: Iterable[str]) -> str:
    """Return how the acls of a group begin: squid joins acls of one name, also those of two texts."""
    text = "\n".join((repr(group), *names))
    return f"egressd_{sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def _lines(group: _Group, rules: list[FirewallRule]) -> Iterator[str]:
    named = [(*_name_acl(rule, group.use), rule) for rule in rules]
    name = _acl_prefix(group, (line for _, line, _ in named))
    yield ""
    yield from as_comments("#", (group.heading, *((_ORDER,) if group.use is _Use.EXEMPT else ())))
    yield from (f"acl {name}_from src {one}" for one in group.sources)
    yield f"acl {name}_port port {group.ports}"
    kinds, written = dict[str, None](), set[str]()
    for kind, line, rule in named:
        if line not in written:
            written.add(line)
            yield from as_comments("#", (f"{rule.need.value}: {'; '.join(rule.services)}",))
            yield f"acl {name}_{kind} {line}"
            kinds[kind] = None
    match group.use:
        case _Use.EXEMPT:
            yield from _splice(name, kinds)
        case _Use.CONNECT | _Use.PLAIN:
            yield from _allow(name, group, kinds)


def _name_acl(rule: FirewallRule, use: _Use) -> tuple[str, str]:
    """Return the kind of an acl for a destination, and its type and value.

    `-n` keeps squid from holding a request for an address until DNS has a name for it.
    """
    form = fit(rule, WILDCARDS).form.lower()
    if "*" in form:
        kind = "ssl::server_name_regex -i" if use is _Use.EXEMPT else "dstdom_regex -n -i"
        return "pattern", f"{kind} {_expression(form, deep=rule.subdomains == ANY_DEPTH)}"
    name = bracketed(form) if is_ip(form) else form
    return "name", f"{'ssl::server_name' if use is _Use.EXEMPT else 'dstdomain -n'} {name}"


def _expression(pattern: str, *, deep: bool) -> str:
    """Write a pattern as a regular expression of squid; a name may come with the root's dot.

    squid warns of `^.*`, which changes nothing.
    """
    part = "." if deep and pattern.startswith("*") else "[^.]"
    star = f"{part}+" if pattern.startswith("*.") else f"{part}*"
    expression = f"^{pattern.replace('.', '[.]').replace('*', star, 1)}[.]?$"
    return expression.removeprefix("^.*")


def _allow(name: str, group: _Group, kinds: Iterable[str]) -> Iterator[str]:
    """Yield a line for each kind of name. What squid decrypts is a request of its own, and no plain HTTP."""
    yield f"acl {name}_plain proto HTTP"
    scheme = f"{name}_plain" if group.use is _Use.PLAIN else f"!{name}_plain"
    yield from (f"http_access allow {scheme} {name}_from {name}_port {name}_{kind}" for kind in kinds)


def _splice(name: str, kinds: Iterable[str]) -> Iterator[str]:
    """Yield lines that look at the ClientHello first: an intercepted connection has its name there only."""
    yield f"acl {name}_hello at_step SslBump1"
    yield f"ssl_bump peek {name}_hello {name}_from {name}_port"
    yield from (f"ssl_bump splice {name}_from {name}_port {name}_{kind}" for kind in kinds)


LANGUAGE = Language(
    name="squid",
    title="squid",
    suffix=".conf",
    comment="#",
    wildcards=WILDCARDS,
    document="squid.conf documented, 5.7",
    tried="squid 5.7 with OpenSSL",
    render=_render,
    remarks=_PLACE,
)
