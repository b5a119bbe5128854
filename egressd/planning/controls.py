"""Base controls of every sweep: does the path answer for addresses and names that do not exist?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec.structs import replace

from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.plan import ControlKind, ControlPlan, Probe, Target
from egressd.model.settings import ConnectTo, Family, Settings, Source
from egressd.planning.path.choice import proxy_on_path
from egressd.planning.pattern import glob_matches
from egressd.wording import host_port

TESTNET_TCP_ADDRESS = "192.0.2.1"
TESTNET_TCP6_ADDRESS = "2001:db8:ffff::1"
TESTNET_DNS_ADDRESS = "192.0.2.53"
"""Addresses of RFC 5737 and RFC 3849, which no host has: what answers is a device on the path."""
USUAL_PORT = 443
MOST_PORTS = 6
"""Further ports of bare `tcp` probes that are tried at an unused address, per source and family."""
DNS_PORT = 53
UNRELATED_ZONES = 2
"""Zones queried for a label that can't exist; one alone may hold a wildcard record."""
EXISTING_NAME = "example.com"
"""A name that exists and belongs to no product (RFC 2606)."""


def base_controls(
    settings: Settings, probes: Iterable[Probe]
) -> tuple[tuple[ControlPlan, ...], tuple[str, ...]]:
    """Return connections and a query to unused addresses per source, and notes on what is left out.

    Where a connection is all that a probe asks for, its port is tried too: a device may accept everything on
    some ports or in one family only. A `connect_to` entry for such an address redirects it. Where all probes
    stay on loopback (a lab), only redirected controls are planned: any other would show the real network
    around the lab.
    """
    probes = tuple(probes)
    sources = [one for one in settings.sources if _uses(Family.IPV4, one, settings)]
    planned = (*(one for source in sources for one in _testnet_controls(source)), *_bare(settings, probes))
    kept = [_redirected(control, settings) for control in planned]
    lab = stays_on_loopback(settings, probes)
    controls = tuple(control for control, redirected in kept if redirected or not lab)
    notes = []
    if len(controls) < len(kept):
        notes.append("everything is redirected to this host: controls that would leave it are not run")
    if len(sources) < len(settings.sources):
        notes.append("a source without IPv4 has no control address: accepting everything is not detected")
    return controls, tuple(notes)


def nxdomain_controls(
    targets: Iterable[Target], probes: Iterable[Probe], sources: Iterable[Source], *, label: str
) -> tuple[ControlPlan, ...]:
    """Return, for each source, queries for names in two unrelated zones that can't exist.

    A resolver that gives both the same address rewrites NXDOMAIN. There are none where only a proxy
    resolves names, and where the plan has no two such zones.
    """
    direct = {target for probe in probes if not probe.via_proxy for target in probe.targets}
    zones: dict[str, str] = {}
    for target in sorted(
        (one for one in targets if one.id in direct and _is_in_catalog(one)), key=_zone_order
    ):
        zone = _zone(target.host)
        zones.setdefault(".".join(zone.split(".")[-2:]), zone)
    chosen = tuple(zones.values())[:UNRELATED_ZONES]
    if len(chosen) < UNRELATED_ZONES:
        return ()
    return tuple(_nxdomain_control(source, label, zone) for source in sources for zone in chosen)


def _is_in_catalog(target: Target) -> bool:
    """Return whether the host is the catalog's, in a zone below a top-level domain."""
    ours = target.sample is SampleKind.GIVEN or target.internal
    return not ours and "." in _zone(target.host)


def _zone(host: str) -> str:
    return host.lower().rstrip(".").partition(".")[2]


def _zone_order(target: Target) -> tuple[bool, int, str]:
    """Sort zones whose random label is probed anyway first, then by the number of labels."""
    return target.sample is not SampleKind.RANDOM, target.host.count("."), target.host


def redirection(host: str, port: int, connect_to: Iterable[ConnectTo]) -> ConnectTo | None:
    """Return the first `connect_to` entry that matches the host and port."""
    return next((one for one in connect_to if glob_matches(one.match, host_port(host, port))), None)


def _bare(settings: Settings, probes: tuple[Probe, ...]) -> Iterator[ControlPlan]:
    """Yield a connection to an unused address for each port of a source's bare `tcp` probes."""
    for source in settings.sources:
        direct = (one for one in probes if one.protocol is Protocol.TCP and one.connect_to is None)
        ports = sorted({one.port for one in direct if one.source == source.name})
        for family in (one for one in Family if _uses(one, source, settings)):
            known = {USUAL_PORT} if family is Family.IPV4 else set()
            for port in [one for one in ports if one not in known][:MOST_PORTS]:
                yield _testnet_control(source, family, port)


def _testnet_control(source: Source, family: Family, port: int) -> ControlPlan:
    usual, _ = _testnet_controls(source)
    address = TESTNET_TCP_ADDRESS if family is Family.IPV4 else TESTNET_TCP6_ADDRESS
    return replace(usual, id=f"{usual.id}|{host_port(address, port)}", address=address, port=port)


def _testnet_controls(source: Source) -> tuple[ControlPlan, ControlPlan]:
    tcp = ControlPlan(
        id=f"{source.name}|{ControlKind.TESTNET_TCP}",
        kind=ControlKind.TESTNET_TCP,
        source=source.name,
        why="no host has this address: a connection shows a device that accepts everything",
        address=TESTNET_TCP_ADDRESS,
        port=USUAL_PORT,
        protocol=Protocol.TCP,
    )
    dns = replace(
        tcp,
        id=f"{source.name}|{ControlKind.TESTNET_DNS}",
        kind=ControlKind.TESTNET_DNS,
        why="no server has this address: an answer shows that port 53 is intercepted",
        host=EXISTING_NAME,
        address=TESTNET_DNS_ADDRESS,
        port=DNS_PORT,
        protocol=Protocol.DNS,
    )
    return tcp, dns


def _nxdomain_control(source: Source, label: str, zone: str) -> ControlPlan:
    return ControlPlan(
        id=f"{source.name}|{ControlKind.SIBLING_NAME}|{zone}",
        kind=ControlKind.SIBLING_NAME,
        source=source.name,
        why="no such name exists: an address shows a resolver that rewrites NXDOMAIN",
        host=f"{label}.{zone}",
        port=DNS_PORT,
        protocol=Protocol.DNS,
    )


def _redirected(control: ControlPlan, settings: Settings) -> tuple[ControlPlan, bool]:
    """Apply a `connect_to` entry for the control's own address; `*:443` is for targets only.

    A control redirected to a real server would wrongly show that everything is accepted.
    """
    host = control.address or ""
    named = [one for one in settings.connect_to if one.match.strip().startswith(f"{host}:")]
    to = redirection(host, control.port, named)
    return (control, False) if to is None else (replace(control, address=to.address, port=to.port), True)


def _uses(family: Family, source: Source, settings: Settings) -> bool:
    own = None if source.address is None else Family.IPV6 if ":" in source.address else Family.IPV4
    return family in settings.limits.families and own in (None, family)


def stays_on_loopback(settings: Settings, probes: tuple[Probe, ...]) -> bool:
    """Return whether nothing of the plan leaves this host."""
    places = {one.address or "" for one in settings.resolvers} | {
        _first_address(one, settings) for one in probes
    }
    return bool(probes) and all(map(is_loopback_address, places))


def _first_address(probe: Probe, settings: Settings) -> str:
    """Return the address a probe connects to first, or the host name if DNS decides."""
    proxy = proxy_on_path(probe.protocol, settings, route=probe.route)
    if probe.via_proxy and proxy is not None:
        return urlsplit(proxy.url).hostname or ""
    return probe.connect_to.address if probe.connect_to else probe.host


def is_loopback_address(address: str) -> bool:
    """Return whether a text is an address of this host alone."""
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False
