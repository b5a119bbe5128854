"""Sweeps of the catalog's plans through a simulated firewall that blocks by a policy of its own."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase

from msgspec.structs import replace

from egressd.firewall import Action, FirewallRule
from egressd.firewall.rule import ANY_DEPTH
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, NtpObservation, Observation, TcpObservation
from egressd.model.plan import Plan, Probe
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage, VantageSource
from egressd.model.settings import Family
from tests.attribution.recordings import (
    NOW,
    RESOLVER,
    certificate,
    dns,
    facts,
    http,
    info,
    ntp,
    tcp,
    tls,
)


class Manner(Enum):
    """How a device blocks; the value is what mends it."""

    SILENT = Action.ALLOW, "silent"
    REFUSED = Action.ALLOW, "refused"
    RESET_BY_NAME = Action.ALLOW, "reset by name"
    DROPPED_BY_NAME = Action.ALLOW, "dropped by name"
    PAGE = Action.ALLOW, "page"
    NXDOMAIN = Action.RESOLVE, "NXDOMAIN"
    NULL_ADDRESS = Action.RESOLVE, "null address"
    INSPECTED = Action.EXEMPT, "inspected"

    @property
    def mended_by(self) -> Action:
        """What has to be asked for."""
        return self.value[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a firewall blocks: hosts by glob, ports, and the addresses that they are blocked from."""

    hosts: str
    ports: frozenset[int]
    sources: frozenset[str]
    manner: Manner

    def covers(self, source: str, host: str, port: int) -> bool:
        """Return whether a connection is blocked by it."""
        return source in self.sources and port in self.ports and fnmatchcase(host, self.hosts)


@dataclass(slots=True)
class Firewall:
    """A firewall, and the rules that were added to it since. Its first policy that covers decides."""

    policies: tuple[Policy, ...]
    added: list[FirewallRule] = field(default_factory=list)

    def blocks(self, source: str, host: str, port: int) -> Manner | None:
        """Return how a connection is blocked; None: it is not."""
        for policy in self.policies:
            if policy.covers(source, host, port) and not self._is_added(policy.manner, source, host, port):
                return policy.manner
        return None

    def _is_added(self, manner: Manner, source: str, host: str, port: int) -> bool:
        return any(
            one.action is manner.mended_by
            and source in one.sources
            and one.port is not None
            and one.port <= port <= (one.last_port or one.port)
            and names(one, host)
            for one in self.added
        )


def names(rule: FirewallRule, host: str) -> bool:
    """Return whether a rule names a host, as exactly as it says."""
    if rule.subdomains == ANY_DEPTH or not rule.is_wildcard:
        return fnmatchcase(host, rule.destination)
    return host.count(".") == rule.destination.count(".") and fnmatchcase(host, rule.destination)


def sweep_through(firewall: Firewall, plan: Plan) -> Recording:
    """Record a sweep of a plan through a firewall."""
    addresses = {one.name: one.address or "" for one in plan.sources}
    return Recording(
        id="simulated",
        started=NOW,
        finished=NOW,
        interrupted=False,
        plan=plan,
        vantage=Vantage(
            host="here",
            sources=tuple(
                VantageSource(name=one.name, address=one.address, interface=None, roles=())
                for one in plan.sources
            ),
            resolvers=(RESOLVER,),
            proxy=None,
            families=(Family.IPV4,),
            trust=(),
            clock_offset_seconds=0.0,
        ),
        records=tuple(
            ProbeRecord(probe=one.id, trails=(_trail(firewall, plan, one, addresses[one.source]),))
            for one in plan.probes
        ),
    )


def _trail(firewall: Firewall, plan: Plan, probe: Probe, local: str) -> Trail:
    looked_up = probe.siblings[0] if probe.siblings else probe.host
    manner = firewall.blocks(local, probe.host, probe.port)
    seen = tuple(_cut(_conversation(plan, probe, looked_up), manner, probe))
    seen = tuple(
        replace(one, local_address=local) if isinstance(one, TcpObservation | NtpObservation) else one
        for one in seen
    )
    return Trail(
        source=probe.source,
        family=Family.IPV4,
        address=next(
            (one.remote_address for one in seen if isinstance(one, TcpObservation | NtpObservation)), None
        ),
        path="direct",
        observations=seen,
        resolver=RESOLVER,
        borrowed_from=looked_up if probe.siblings else None,
    )


def dials(seen: Iterable[Observation]) -> Iterable[TcpObservation | NtpObservation]:
    """Return what has both ends of a connection."""
    return (one for one in seen if isinstance(one, TcpObservation | NtpObservation))


def address_of(host: str) -> str:
    """Return the address of a host: one of 762, which many share as on a content network."""
    number = zlib.crc32(host.encode()) % 762
    return f"{('192.0.2', '198.51.100', '203.0.113')[number // 254]}.{number % 254 + 1}"


def _conversation(plan: Plan, probe: Probe, looked_up: str) -> list[Observation]:
    """Return what is seen where nothing blocks."""
    address = address_of(looked_up)
    lookup = dns(address, name=looked_up)
    if probe.protocol is Protocol.NTP:
        return [lookup, ntp(remote_address=address)]
    seen: list[Observation] = [lookup, tcp(address=address, port=probe.port)]
    if probe.protocol.encrypted:
        leaf = certificate(subject=f"CN={probe.host}", san=(probe.host,))
        root = certificate(subject="CN=Public CA")
        seen.append(replace(tls(sni=probe.host), chain=(leaf, root)))
    if probe.protocol.speaks_http:
        expect = probe.expect
        kind = {"content-type": expect.content_type} if expect.content_type else {}
        status = expect.status[0] if expect.status else 206 if expect.min_bytes else 200
        status = 101 if probe.protocol is Protocol.WSS else status
        answer = http(status, headers=kind, received=expect.min_bytes or 0, sha256=expect.sha256)
        answer = http(status, headers=kind, received=expect.min_bytes or 0, sha256=expect.sha256)
        seen.append(replace(answer, host=probe.host, der=True if expect.der else None))
    return seen


def _cut(seen: list[Observation], manner: Manner | None, probe: Probe) -> Iterable[Observation]:
    """Return what is seen of a conversation that is blocked in some manner."""
    if manner is None or (manner is Manner.INSPECTED and not probe.protocol.encrypted):
        return seen
    name = probe.siblings[0] if probe.siblings else probe.host
    address = address_of(name)
    if manner is Manner.NXDOMAIN:
        return [dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", name=name, soa=False)]
    if manner is Manner.NULL_ADDRESS:
        return [dns("0.0.0.0", name=name), tcp(Failure.REFUSED, address="0.0.0.0", port=probe.port)]
    if probe.protocol is Protocol.NTP:
        return [seen[0], ntp(Failure.TIMEOUT, remote_address=address)]
    if manner is Manner.REFUSED:
        return [seen[0], tcp(Failure.REFUSED, address=address, port=probe.port, errno=111)]
    if manner is Manner.SILENT:
        return [seen[0], tcp(Failure.TIMEOUT, address=address, port=probe.port)]
    return [*seen[:2], *(_by_name(manner, probe) if probe.protocol.encrypted else [PAGE])]


PAGE = http(403, body="<html>Powered By FortiGuard</html>", title="Web Filter Violation")


def _by_name(manner: Manner, probe: Probe) -> list[Observation]:
    """Return the end of a connection that was cut for the name in its ClientHello."""
    match manner:
        case Manner.RESET_BY_NAME:
            return [tls(Failure.RESET, sni=probe.host)]
        case Manner.DROPPED_BY_NAME:
            return [tls(Failure.TIMEOUT, sni=probe.host, seen=info(acked=0))]
        case Manner.PAGE:
            return [_inspected(probe.host), replace(PAGE, unverified=True)]
        case _:
            return [_inspected(probe.host)]


def _inspected(host: str) -> Observation:
    chain = (
        certificate(subject=f"CN={host}", san=(host,), issuer="CN=Corp Inspection CA"),
        certificate(subject="CN=Corp Inspection CA", issuer="CN=Corp Inspection CA", self_signed=True),
    )
    about = facts(public=False, stored=False, key="22" * 20)
    return tls(Failure.VERIFY, sni=host, code=19, chain=chain, about=about)
