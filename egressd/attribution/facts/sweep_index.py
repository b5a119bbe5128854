"""What the whole recording shows: facts no single probe can know, computed once.

Law of the file: facts only. Nothing here decides about a target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from egressd.attribution.facts.peer_comparison import PeerComparison, compare_peers
from egressd.attribution.facts.stats import (
    ANSWERS,
    DIRECT,
    NO_DIAL_STATS,
    NO_RESOLVER_STATS,
    DialStats,
    ResolverStats,
    connected_by_source,
    count_dials,
    count_resolvers,
    handshakes,
    local_addresses,
    observations,
)
from egressd.model.endpoint import SampleKind
from egressd.model.observation import (
    Failure,
    HttpObservation,
    Phase,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import SYNTHETIC_CONTROLS, ControlKind, Probe, Target
from egressd.model.recording import Control, Recording, Trail
from egressd.model.settings import SYSTEM_RESOLVER, Family

CLOCK_LIMIT = 300.0
"""Seconds of clock offset beyond which certificates can't be judged by this host's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepIndex:
    """One recording and what it shows as a whole."""

    recording: Recording
    probes: Mapping[str, Probe]
    targets: Mapping[str, Target]
    trails: Mapping[str, tuple[Trail, ...]]
    controls: Mapping[str, tuple[Control, ...]]
    """By subject; the empty subject holds those about the whole sweep."""
    accept_all: frozenset[str]
    """Sources for which an address that can't exist accepted a connection."""
    dns_intercepted: frozenset[str]
    """Sources for which an address that runs no DNS answered a query."""
    resolvers: Mapping[tuple[str, str], ResolverStats]
    dials: Mapping[tuple[str, Family], DialStats]
    reached: Mapping[str, frozenset[tuple[str, int]]]
    """Everything each source could connect to."""
    local_addresses: Mapping[str, tuple[str, ...]]
    """The local addresses each source was seen to leave from, the most used first."""
    probes_by_host: Mapping[str, tuple[Probe, ...]]
    working_proxies: frozenset[str]
    """Proxies that opened a tunnel for any name, or handed a plain answer on."""
    tunnel_answered_sni: Mapping[str, frozenset[str]]
    """By proxy: the server names that got a TLS answer in a tunnel."""
    not_proxies: frozenset[str]
    """Configured proxies that do not know CONNECT, whatever else they answer."""
    answered_sni: Mapping[tuple[str, str, int], frozenset[str]]
    """By source, address and port: the server names that got a TLS answer there."""
    unanswered_sni: Mapping[tuple[str, str, int], frozenset[str]]
    """The same for names that got a connection and no TLS answer."""
    private_issuers: Mapping[str, frozenset[str]]
    """Hosts by the issuer of a chain that leads to no public root."""
    private_hosts: frozenset[str]
    """Hosts that some row calls private-link capable: what one product may do, the name can do."""
    catalog_hosts: frozenset[str]
    """Hosts the catalog asks for, not the operator."""
    peers: PeerComparison
    """What one conversation can be compared with."""
    revocation_hosts: frozenset[str]
    """Hosts named by the received chains for CRLs, OCSP and issuers."""

    @classmethod
    def build(cls, recording: Recording) -> SweepIndex:
        """Compute what a recording shows as a whole."""
        plan = recording.plan
        trails = {record.probe: record.trails for record in recording.records}
        probes = {probe.id: probe for probe in plan.probes}
        every = tuple(trail for some in trails.values() for trail in some)
        controls = _by_subject(recording.controls)
        asked = tuple(trail for control in recording.controls for trail in control.trails)
        real = tuple(
            trail
            for control in recording.controls
            if control.kind not in SYNTHETIC_CONTROLS
            for trail in control.trails
        )
        dials = count_dials((*every, *real))
        answered_sni, unanswered_sni = _answered_sni((*every, *real))
        return cls(
            recording=recording,
            probes=probes,
            targets={target.id: target for target in plan.targets},
            trails=trails,
            controls=controls,
            accept_all=_sources(recording.controls, ControlKind.TESTNET_TCP, _connected),
            dns_intercepted=_sources(recording.controls, ControlKind.TESTNET_DNS, _answered),
            resolvers=count_resolvers((*every, *asked)),
            dials=dials,
            reached=connected_by_source(dials),
            local_addresses=local_addresses(every),
            probes_by_host=_probes_by_host(plan.probes),
            working_proxies=frozenset(
                trail.path for trail in every if _tunnelled(trail) or _handed_on(trail)
            ),
            tunnel_answered_sni=_tunnel_answered_sni(every),
            not_proxies=_not_proxies(every),
            answered_sni=answered_sni,
            unanswered_sni=unanswered_sni,
            private_issuers=_private_issuers(every),
            peers=compare_peers(trails, controls),
            revocation_hosts=_revocation_hosts(every),
            private_hosts=frozenset(target.host.lower() for target in plan.targets if target.private_link),
            catalog_hosts=frozenset(
                target.host.lower() for target in plan.targets if target.sample is not SampleKind.GIVEN
            ),
        )

    def resolver_stats(self, source: str, resolver: str) -> ResolverStats:
        """Return how a voice behaved."""
        return self.resolvers.get((source, resolver), NO_RESOLVER_STATS)

    def dial_stats(self, source: str, family: Family) -> DialStats:
        """Return how dials ended."""
        return self.dials.get((source, family), NO_DIAL_STATS)

    def lacks_family(self, source: str, family: Family) -> bool:
        """Return whether a source has no path of this family, but has one of the other."""
        other = Family.IPV4 if family is Family.IPV6 else Family.IPV6
        return (
            self.dial_stats(source, family).lacks_family and not self.dial_stats(source, other).lacks_family
        )

    def connected(self, source: str) -> frozenset[tuple[str, int]]:
        """Return everything a source could connect to."""
        return self.reached.get(source, frozenset())

    @property
    def clock_is_off(self) -> bool:
        """Whether this host's clock is too far off to judge certificates by."""
        return abs(self.recording.vantage.clock_offset_seconds or 0.0) > CLOCK_LIMIT

    @property
    def own_roots(self) -> bool:
        """Whether the operator named the roots that count as public."""
        return self.recording.plan.trust.public_roots != "bundled"

    @property
    def has_resolver(self) -> bool:
        """Whether any resolver but the bare `system` is known to this host."""
        return any(name != SYSTEM_RESOLVER for name in self.recording.vantage.resolvers)


def _by_subject(controls: Iterable[Control]) -> dict[str, tuple[Control, ...]]:
    found: dict[str, tuple[Control, ...]] = {}
    for control in controls:
        found[control.subject] = (*found.get(control.subject, ()), control)
    return found


def _sources(
    controls: Iterable[Control], kind: ControlKind, proof: Callable[[Trail], bool]
) -> frozenset[str]:
    return frozenset(
        control.source
        for control in controls
        if control.kind is kind and any(proof(trail) for trail in control.trails)
    )


def _connected(trail: Trail) -> bool:
    one = trail.seen(Phase.TCP)
    return one is not None and one.failure is None


def _answered(trail: Trail) -> bool:
    one = trail.seen(Phase.DNS)
    return one is not None and (one.failure in ANSWERS or one.failure is Failure.RCODE)


def _probes_by_host(probes: Iterable[Probe]) -> dict[str, tuple[Probe, ...]]:
    found: dict[str, tuple[Probe, ...]] = {}
    for probe in probes:
        found[probe.host] = (*found.get(probe.host, ()), probe)
    return found


def _tunnelled(trail: Trail) -> bool:
    one = trail.seen(Phase.PROXY)
    return one is not None and one.failure is None


def _handed_on(trail: Trail) -> bool:
    """Whether the proxy forwarded a plain request, and what came back is no complaint."""
    one = trail.seen(Phase.HTTP)
    plain_request = trail.path != DIRECT and trail.seen(Phase.PROXY) is None
    return plain_request and isinstance(one, HttpObservation) and one.status is not None and one.status < 400


def _tunnel_answered_sni(trails: Iterable[Trail]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for trail in trails:
        names = {one.sni.lower() for one in handshakes(trail) if answered_tls(one)}
        if names and trail.path != DIRECT:
            found[trail.path] = found.get(trail.path, frozenset()) | names
    return found


def _not_proxies(trails: Iterable[Trail]) -> frozenset[str]:
    """Return the proxies that never opened a tunnel and answer CONNECT as a web server does."""
    seen = [
        (trail.path, one) for trail in trails if isinstance(one := trail.seen(Phase.PROXY), ProxyObservation)
    ]
    opened = {path for path, one in seen if one.failure is None}
    puzzled = {path for path, one in seen if one.status in NO_CONNECT or one.failure is Failure.NOT_HTTP}
    return frozenset(puzzled - opened)


NO_CONNECT = frozenset({400, 404, 405, 501})
"""What a web server answers to CONNECT."""


NamesByAddress = dict[tuple[str, str, int], frozenset[str]]


def _answered_sni(trails: Iterable[Trail]) -> tuple[NamesByAddress, NamesByAddress]:
    """Return which server names got a TLS answer where, and which got none."""
    yes: NamesByAddress = {}
    no: NamesByAddress = {}
    for trail, tls in observations(trails, TlsObservation):
        tcp = trail.seen(Phase.TCP)
        if not isinstance(tcp, TcpObservation) or trail.path != DIRECT:
            continue
        if tcp.max_segment is not None:
            continue
        key = (trail.source, tcp.remote_address, tcp.remote_port)
        book = yes if answered_tls(tls) else no
        book[key] = book.get(key, frozenset()) | {tls.sni.lower()}
    return yes, no


def answered_tls(one: TlsObservation) -> bool:
    """Whether bytes came back that a filter would not send: a ServerHello or a TLS alert."""
    return one.server_hello or one.alert is not None


def issuer_of(one: TlsObservation) -> str:
    """Return the issuer that names who signed: that of the last certificate sent."""
    return one.chain[-1].issuer if one.chain else ""


def _private_issuers(trails: Iterable[Trail]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for one in (tls for trail in trails for tls in handshakes(trail)):
        if one.facts is not None and one.facts.publicly_anchored is False and one.chain:
            issuer = issuer_of(one)
            found[issuer] = found.get(issuer, frozenset()) | {one.sni.lower()}
    return found


def _revocation_hosts(trails: Iterable[Trail]) -> frozenset[str]:
    chains = (one.chain for trail in trails for one in handshakes(trail))
    urls = (
        url for chain in chains for one in chain for url in (*one.crl_urls, *one.ocsp_urls, *one.issuer_urls)
    )
    return frozenset(host_of(url) for url in urls) - {""}


def host_of(url: str) -> str:
    """Return the host a URL names, in lower case; empty where it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
