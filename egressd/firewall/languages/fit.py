"""How well a device's language says a name: exactly, wider, narrower, or not at all."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from egressd.firewall.languages.language import Depth, Wildcards
from egressd.firewall.rule import ANY_DEPTH, FirewallRule
from egressd.planning.placeholder import is_address, is_host


class Reach(StrEnum):
    """What a device's form covers, beside what is asked for."""

    EXACT = "exact"
    WIDER = "wider"
    NARROWER = "narrower"
    IMPOSSIBLE = "impossible"


class Fit(Struct, frozen=True, kw_only=True):
    """The narrowest form of a name that covers what is asked for."""

    reach: Reach
    form: str
    """A host, `*.x`, or with stars inside labels where the device can say that; empty: impossible."""
    why: str = ""
    """What else it allows, what it does not, or what the device can't say; empty where it is exact."""


def fit(rule: FirewallRule, device: Wildcards) -> Fit:
    """Return how the destination of a rule is said on a device."""
    name = rule.destination
    if "<" in name:
        return Fit(reach=Reach.IMPOSSIBLE, form="", why=f"{name} stands for a name of yours: give its value")
    if "%" in name or not is_host(name.lower().replace("*", "x")):
        return Fit(reach=Reach.IMPOSSIBLE, form="", why=f"{name!a} is neither a host name nor an address")
    if not rule.is_wildcard:
        return _exact(name, device)
    first, _, rest = name.partition(".")
    if not rest:
        return Fit(reach=Reach.IMPOSSIBLE, form="", why=f"{name} has no domain behind its *")
    if "*" in rest:
        return Fit(reach=Reach.IMPOSSIBLE, form="", why=f"{name} has a * behind the first label")
    if first == "*":
        return _leading(rule, rest, device)
    if device.inside_label:
        return Fit(reach=Reach.EXACT, form=name)
    if device.depth is Depth.NONE:
        return _no_wildcards(name)
    if device.leading_part and name.startswith("*"):
        deeper = "" if rule.subdomains == ANY_DEPTH else f"names with more labels before {rest} pass as well"
        return Fit(reach=Reach.WIDER if deeper else Reach.EXACT, form=name, why=deeper)
    every = f"{rest} and every name under it pass" if device.apex else f"every name under {rest} passes"
    return Fit(reach=Reach.WIDER, form=f"*.{rest}", why=f"{name} can't be said: {every}")


def _exact(name: str, device: Wildcards) -> Fit:
    if device.exact or is_address(name):
        return Fit(reach=Reach.EXACT, form=name)
    return Fit(reach=Reach.WIDER, form=name, why=f"names under {name} pass as well")


def _leading(rule: FirewallRule, rest: str, device: Wildcards) -> Fit:
    name = rule.destination
    if device.depth is Depth.NONE:
        return _no_wildcards(name)
    if device.depth is Depth.ONE and rule.subdomains == ANY_DEPTH:
        return Fit(
            reach=Reach.NARROWER, form=name, why=f"names with two or more labels before {rest} do not pass"
        )
    more = []
    if device.depth is Depth.ANY and rule.subdomains != ANY_DEPTH:
        more.append(f"names with more labels before {rest}")
    if device.apex:
        more.append(rest)
    if device.depth is Depth.UNKNOWN:
        why = f"whether names with more labels before {rest}, and {rest} itself, pass is not documented"
        return Fit(reach=Reach.WIDER, form=name, why=why)
    why = f"{' and '.join(more)} pass{'es' if more == [rest] else ''} as well" if more else ""
    return Fit(reach=Reach.WIDER if more else Reach.EXACT, form=name, why=why)


def _no_wildcards(name: str) -> Fit:
    return Fit(reach=Reach.IMPOSSIBLE, form="", why=f"the device has no wildcards, so {name} can't be said")
