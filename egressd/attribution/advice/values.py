"""The values that fill a template: hosts, addresses and times, as they were seen and as rules name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from egressd.attribution.advice.names import listed, some_of
from egressd.attribution.control_results.hops import failure_hop, router_before
from egressd.attribution.facts.proxy import auth_schemes, goes_by_arc_proxy, proxy_refusal, redirect_host
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
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

OWN_RESOLVERS = "the resolvers of this host"
UNNAMED_SCHEME = "a scheme that it does not name"
UNNAMED_PLACE = "a place that it does not name"
THIS_HOST = "this host"
LISTED: Mapping[str, str] = {
    "host": "hosts",
    "destination": "names",
    "sni": "names",
    "place": "hosts with their ports",
    "address": "addresses",
    "remote": "addresses with their ports",
    "offender": "addresses",
    "resolver": "resolvers",
    "issuer": "authorities",
    "proxy": "proxies",
    "service": "ports",
    "tags": "service tags",
    "port": "ports",
}
"""What differs between targets, and what several of them are called."""


def source_address(index: SweepIndex, name: str) -> str:
    """Return the address of a source: as observed, else as configured, else its name.

    The only source, where nothing is known of it, is this host.
    """
    seen = next(iter(index.source_addresses.get(name, ())), "")
    sources = index.recording.vantage.sources
    named = (one for one in sources if one.name == name)
    known = seen or next((one.address or one.interface or "" for one in named), "")
    return known or (name if len(sources) > 1 else THIS_HOST)


def values_of(context: TrailContext) -> dict[str, str]:
    """Return the known values of the placeholders for one conversation.

    A random label stands for a wildcard, which is named in its place.
    """
    icmp, target = context.icmp, context.target
    address, local, host = _address(context), _local(context), shown_host(context)
    remote, time, port = _remote(context, address), _time(context), str(context.probe.port)
    return {
        "host": host,
        "destination": target.destination,
        "port": port,
        "service": f"{context.probe.protocol.value}/{port}",
        "other_family": "IPv4" if context.trail.family is Family.IPV6 else "IPv6",
        "place": host_port(host, context.probe.port),
        "source": _source(context),
        "address": address,
        "remote": remote,
        "ends": f"{local} at {time}",
        "flow": f"the connection of {context.trail.path} to {_beyond_proxy(context)} at {time}"
        if context.proxied
        else f"{local} to {remote} at {time}",
        "tags": ", ".join(target.service_tags),
        "sni": context.tls.sni if context.tls is not None and not context.random else host,
        "offender": icmp.offender if icmp is not None else router_before(context, failure_hop(context) or 0),
        "resolver": context.trail.resolver,
        "issuer": context.issuer,
        "names": certificate_names(context),
        "time": time,
        "proxy": context.trail.path if context.proxied else context.index.recording.vantage.proxy or "",
        "status": _status(context),
        "location": redirect_host(proxy_refusal(context)) or UNNAMED_PLACE,
        "schemes": ", ".join(auth_schemes(proxy_refusal(context))) or UNNAMED_SCHEME,
    }


def values_of_all(contexts: Sequence[TrailContext]) -> dict[str, str]:
    """Return the values for several conversations, of one target or of many: every source is named.

    What differs otherwise is listed where a sentence can hold it, and else counted. A connection is named for
    each source, the first one.
    """
    every = [values_of(one) for one in contexts]
    first_by_source = dict(zip(map(_source_name, reversed(contexts)), reversed(every), strict=True))
    firsts = [first_by_source[name] for name in source_order(contexts)]
    return (
        every[0]
        | {name: listed((one[name] for one in every), noun) for name, noun in LISTED.items()}
        | {name: _each(one[name] for one in firsts) for name in ("source", "ends", "flow")}
    )


def source_order(contexts: Iterable[TrailContext]) -> tuple[str, ...]:
    """Return the names of the sources that conversations left from, in the order of the plan."""
    seen = {one.source: one.index for one in contexts}
    plan = next((index.recording.plan.sources for index in seen.values()), ())
    known = [one.name for one in plan if one.name in seen]
    return (*known, *sorted(seen.keys() - known))


def _source_name(context: TrailContext) -> str:
    return context.source


def _each(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(one for one in names if one))


def shown_host(context: TrailContext) -> str:
    """Return the host to name: in the place of a random label its wildcard."""
    return context.target.pattern if context.random else context.probe.host


def values_of_control(index: SweepIndex, control: Control) -> dict[str, str]:
    """Return the known values of the placeholders for what a control showed."""
    seen = [one for trail in control.trails for one in trail.observations]
    source = source_address(index, control.source)
    dials = (one for one in seen if isinstance(one, TcpObservation) and one.local_address and one.local_port)
    dial = next(dials, None)
    address = dial.remote_address if dial is not None else control.address or ""
    local = host_port(dial.local_address or "", dial.local_port or 0) if dial is not None else source
    time = seen[0].started if seen else index.recording.started
    remote = host_port(address, control.port) if address else host_port(control.host, control.port)
    proxies = (trail.path for trail in control.trails if trail.path != DIRECT)
    return {
        "host": control.host or address,
        "destination": control.host or address,
        "port": str(control.port),
        "place": host_port(control.host or address, control.port),
        "source": source,
        "address": address or control.host,
        "remote": remote,
        "ends": f"{local} at {time}",
        "flow": f"{local} to {remote} at {time}",
        "resolver": next((trail.resolver for trail in control.trails), ""),
        "time": time,
        "proxy": next(proxies, index.recording.vantage.proxy or ""),
    }


def certificate_names(context: TrailContext) -> str:
    """Return the names in the certificate received; those of its subject where it has no others."""
    tls = context.tls
    if tls is None or not tls.chain:
        return ""
    leaf = tls.chain[0]
    return some_of(leaf.san) or leaf.subject or "no name that can be read"


def _beyond_proxy(context: TrailContext) -> str:
    """Return where a proxy connects to for a trail: the Arc proxy goes to the gateway, whatever is asked."""
    gateway = context.index.recording.plan.arc_gateway if goes_by_arc_proxy(context) else None
    return host_port(gateway, 443) if gateway else host_port(shown_host(context), context.probe.port)


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
    return f"{context.trail.path}'s tunnel to {host_port(shown_host(context), context.probe.port)}"


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
