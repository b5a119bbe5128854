"""The advice of a reason, with hosts, addresses and times filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from egressd.attribution.control_results.hops import failure_hop, router_before
from egressd.attribution.facts.proxy import auth_schemes, goes_by_arc_proxy, proxy_refusal, redirect_host
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import Reason
from egressd.attribution.reasons.by_path import holds_in_tunnel
from egressd.model.endpoint import Inspection
from egressd.model.observation import (
    DnsObservation,
    HttpObservation,
    NtpObservation,
    ProxyObservation,
    TcpObservation,
)
from egressd.model.recording import Control
from egressd.model.settings import SYSTEM_RESOLVER, Family
from egressd.wording import host_port

FORBIDDEN = "The documents for this endpoint do not allow TLS inspection: exempt it."
FORBIDDEN_FOR = "The documents do not allow TLS inspection for"
ABOUT_INSPECTION = ("tls_mitm_", "site_inspection_")
OWN_RESOLVERS = "the resolvers of this host"
UNNAMED_SCHEME = "a scheme that it does not name"
UNNAMED_PLACE = "a place that it does not name"
MOST_NAMES = 4
"""Names listed in a sentence; the rest is counted."""


def advise(reason: Reason, context: TrailContext, values: Mapping[str, str]) -> str:
    """Return the advice of a reason for one trail, of the values of its placeholders.

    Empty where it does not hold for the trail's path.
    """
    if context.proxied and not holds_in_tunnel(reason):
        return ""
    text = reason.advise(values)
    forbidden = reason.code.startswith("tls_mitm_") and context.target.inspection is Inspection.FORBIDDEN
    return f"{text} {FORBIDDEN}" if forbidden else text


def advise_all(reason: Reason, contexts: Sequence[TrailContext], **values: str) -> str:
    """Return the advice of a reason for several targets; it names the first few. `values` override.

    Empty where it does not hold for the path of one of them.
    """
    if not contexts:
        return reason.advise(values)
    if any(one.proxied for one in contexts) and not holds_in_tunnel(reason):
        return ""
    every = [values_of(context) for context in contexts]
    known = dict(every[0])
    for name in ("host", "sni", "address", "source", "port", "protocol", "place", "remote"):
        known[name] = listed(dict.fromkeys(one[name] for one in every))
    text = reason.advise(known | values)
    if not reason.code.startswith(ABOUT_INSPECTION):
        return text
    forbidden = dict.fromkeys(
        context.probe.host for context in contexts if context.target.inspection is Inspection.FORBIDDEN
    )
    return f"{text} {FORBIDDEN_FOR} {listed(forbidden)}." if forbidden else text


def listed(names: Iterable[str]) -> str:
    """List the first few names and count the rest: `a, b, c, d and 26 more`."""
    known = [one for one in names if one]
    shown = ", ".join(known[:MOST_NAMES])
    return f"{shown} and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else shown


def source_address(index: SweepIndex, name: str) -> str:
    """Return the address of a source: as observed, else as configured, else its name."""
    seen = next(iter(index.source_addresses.get(name, ())), "")
    named = (one for one in index.recording.vantage.sources if one.name == name)
    return seen or next((one.address or one.interface or "" for one in named), "") or name


def values_of(context: TrailContext) -> dict[str, str]:
    """Return the known values of the placeholders."""
    icmp = context.icmp
    address, local = _address(context), _local(context)
    remote, place = _remote(context, address), host_port(context.probe.host, context.probe.port)
    return {
        "host": context.probe.host,
        "port": str(context.probe.port),
        "other_family": "IPv4" if context.trail.family is Family.IPV6 else "IPv6",
        "place": place,
        "source": _source(context),
        "address": address,
        "remote": remote,
        "local": local,
        "flow": f"the connection of {context.trail.path} to {_beyond_proxy(context)}"
        if context.proxied
        else f"{local} to {remote}",
        "sni": context.tls.sni if context.tls is not None else context.probe.host,
        "offender": icmp.offender if icmp is not None else router_before(context, failure_hop(context) or 0),
        "resolver": context.trail.resolver,
        "issuer": context.issuer,
        "names": certificate_names(context),
        "protocol": context.probe.protocol.value,
        "time": _time(context),
        "proxy": context.trail.path if context.proxied else context.index.recording.vantage.proxy or "",
        "status": _status(context),
        "location": redirect_host(proxy_refusal(context)) or UNNAMED_PLACE,
        "schemes": ", ".join(auth_schemes(proxy_refusal(context))) or UNNAMED_SCHEME,
    }


def values_of_control(index: SweepIndex, control: Control) -> dict[str, str]:
    """Return the known values of the placeholders for what a control showed."""
    seen = [one for trail in control.trails for one in trail.observations]
    source = source_address(index, control.source)
    dials = (one for one in seen if isinstance(one, TcpObservation) and one.local_address and one.local_port)
    dial = next(dials, None)
    address = dial.remote_address if dial is not None else control.address or ""
    local = host_port(dial.local_address or "", dial.local_port or 0) if dial is not None else source
    remote = host_port(address, control.port) if address else host_port(control.host, control.port)
    proxies = (trail.path for trail in control.trails if trail.path != DIRECT)
    return {
        "host": control.host or address,
        "port": str(control.port),
        "place": host_port(control.host or address, control.port),
        "source": source,
        "address": address or control.host,
        "remote": remote,
        "local": local,
        "flow": f"{local} to {remote}",
        "resolver": next((trail.resolver for trail in control.trails), ""),
        "time": seen[0].started if seen else index.recording.started,
        "proxy": next(proxies, index.recording.vantage.proxy or ""),
    }


def certificate_names(context: TrailContext) -> str:
    """Return the names in the certificate received; those of its subject where it has no others."""
    tls = context.tls
    if tls is None or not tls.chain:
        return ""
    leaf = tls.chain[0]
    return listed(leaf.san) or leaf.subject or "no name that can be read"


def _beyond_proxy(context: TrailContext) -> str:
    """Return where a proxy connects to for a trail: the Arc proxy goes to the gateway, whatever is asked."""
    gateway = context.index.recording.plan.arc_gateway if goes_by_arc_proxy(context) else None
    return host_port(gateway, 443) if gateway else host_port(context.probe.host, context.probe.port)


def _address(context: TrailContext) -> str:
    """Return the address of the far end, or of the resolver if the trail failed in DNS.

    Behind a proxy it is not known: the address that was dialled is the proxy's.
    """
    match context.failing:
        case DnsObservation(resolver=resolver):
            return OWN_RESOLVERS if resolver == SYSTEM_RESOLVER else resolver.rpartition(":")[0].strip("[]")
        case _:
            return _tunnel(context) if context.proxied else context.dialled[0]


def _remote(context: TrailContext, address: str) -> str:
    """Return address and port of the far end: that of the resolver if the trail failed in DNS."""
    match context.failing:
        case DnsObservation(resolver=resolver):
            return OWN_RESOLVERS if resolver == SYSTEM_RESOLVER else resolver
        case _ if context.proxied:
            return _tunnel(context)
        case _:
            return host_port(address, context.dialled[1]) if address else ""


def _tunnel(context: TrailContext) -> str:
    """Name the far end of a conversation through a proxy."""
    return f"{context.trail.path}'s tunnel to {host_port(context.probe.host, context.probe.port)}"


def _local(context: TrailContext) -> str:
    """Return address and port of our end, to find the entry in a log; no port where none is known."""
    for one in reversed(context.trail.observations):
        match one:
            case TcpObservation(local_address=str(address), local_port=int(port)):
                return host_port(address, port)
            case NtpObservation(local_address=str(address), local_port=int(port)):
                return host_port(address, port)
            case _:
                pass
    return _source(context)


def _time(context: TrailContext) -> str:
    """Return when the connection began, as a firewall logs it; where there was none, what failed."""
    last = context.failing or context.trail.last
    if context.tcp is not None and not isinstance(last, DnsObservation):
        return context.tcp.started
    return last.started if last is not None else context.index.recording.started


def _source(context: TrailContext) -> str:
    if context.tcp is not None and context.tcp.local_address:
        return context.tcp.local_address
    return source_address(context.index, context.source)


def _status(context: TrailContext) -> str:
    seen = (one for one in reversed(context.trail.observations))
    statuses = (one.status for one in seen if isinstance(one, HttpObservation | ProxyObservation))
    return next((str(status) for status in statuses if status is not None), "")
