"""Which rules a device can be given, with which names, and why it can't be given the others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from msgspec import Struct

from egressd.firewall.languages.fit import Fit, Reach, fit
from egressd.firewall.languages.language import Wildcards
from egressd.firewall.rule import Action, FirewallRule, Leg
from egressd.model.endpoint import Direction
from egressd.planning.placeholder import is_host

FROM_NAMES = "where connections come from is compared with addresses, not with names"


class Entry(Struct, frozen=True, kw_only=True):
    """A rule that a device can be given."""

    rule: FirewallRule
    names: tuple[str, ...]
    """The destination as the device can say it: a host, `*.x` or an address; or hosts in its place."""
    remarks: tuple[str, ...] = ()
    """What passes besides, what does not, and what else its reader must know."""
    notes: tuple[str, ...] = ()
    """What is said once for all rules that it is true of, such as of sources."""


class Omitted(Struct, frozen=True, kw_only=True):
    """A rule that a device can't be given."""

    rule: FirewallRule
    why: str


class Sources(Struct, frozen=True, kw_only=True):
    """What the sources of a rule are."""

    v4: tuple[str, ...] = ()
    v6: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Names, such as a proxy's."""
    others: tuple[str, ...] = ()
    """What no device can compare with a packet, such as an interface."""

    @property
    def is_known(self) -> bool:
        """Whether there is any address."""
        return bool(self.v4 or self.v6)


def choose(
    rule: FirewallRule, device: Wildcards, *, actions: Iterable[Action] = (Action.ALLOW,)
) -> Entry | Omitted:
    """Return what a device is given for a rule.

    Hosts that were seen stand for a wildcard that the device can't say, and for one with a star inside a
    label: without it, a whole domain would have to be opened.
    """
    why = _no_rule(rule, frozenset(actions))
    if why:
        return Omitted(rule=rule, why=why)
    found = fit(rule, device)
    hosts = tuple(one for one in rule.hosts if _is_host(one))
    if hosts and _loses_its_star(rule, found):
        why = (
            f"{rule.destination} can't be said: only the hosts of it that failed are in ({', '.join(hosts)})"
        )
        return Entry(rule=rule, names=hosts, remarks=(why,))
    if found.reach is Reach.IMPOSSIBLE:
        return Omitted(rule=rule, why=found.why)
    return Entry(rule=rule, names=(found.form,), remarks=(found.why,) if found.why else ())


def is_ip(text: str) -> bool:
    """Return whether a text is an IP address."""
    return _version(text) is not None


def sources_of(texts: Iterable[str]) -> Sources:
    """Divide sources by what they are; each once, whatever their order was."""
    found = sorted(set(texts))
    return Sources(
        v4=tuple(one for one in found if _version(one) == 4),
        v6=tuple(one for one in found if _version(one) == 6),
        hosts=tuple(one for one in found if _version(one) is None and _is_host(one)),
        others=tuple(one for one in found if _version(one) is None and not _is_host(one)),
    )


def other_family(rule: FirewallRule) -> str:
    """Say that source and destination are of different families; empty: they can meet."""
    version = _version(rule.destination)
    own = sources_of(rule.sources)
    known = {4: own.v4, 6: own.v6}
    if version is None or known[version] or own.hosts or (version == 4 and not own.is_known):
        return ""
    return f"no source address of IPv{version} is known"


def _is_host(text: str) -> bool:
    return "%" not in text and is_host(text.lower())


def _version(text: str) -> int | None:
    """Return the family of an address; None where it is none, or holds on one link only (`fe80::1%eth0`)."""
    try:
        return None if "%" in text else ipaddress.ip_address(text).version
    except ValueError:
        return None


def _loses_its_star(rule: FirewallRule, found: Fit) -> bool:
    inside = rule.is_wildcard and not rule.destination.startswith("*.")
    return found.reach is Reach.IMPOSSIBLE or (inside and found.reach is Reach.WIDER)


def _no_rule(rule: FirewallRule, actions: frozenset[Action]) -> str:
    """Say why no device of the kind has a rule for it; empty: it may have."""
    match rule.leg:
        case Leg.AT_PROXY:
            return f"this is for the policy of the proxy {rule.proxy} itself"
        case Leg.BY_GATEWAY:
            return f"no rule is needed: the Azure Arc gateway {rule.proxy} forwards it"
        case Leg.DIRECT | Leg.TO_PROXY | Leg.FROM_PROXY:
            pass
    if rule.action not in actions:
        return _other_action(rule.action)
    if rule.direction is Direction.INBOUND and rule.is_wildcard:
        return "connections can't be told by a wildcard of where they come from"
    return ""


def _other_action(action: Action) -> str:
    match action:
        case Action.RESOLVE:
            return "it is for the DNS team: the name must be answered as public DNS does"
        case Action.EXEMPT:
            return "it asks for an exemption from TLS inspection, which is made elsewhere"
        case Action.ALLOW:
            return "it allows a connection, which is done elsewhere"
