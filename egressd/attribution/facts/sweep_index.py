"""Index over one recording: facts that no single trail shows, computed once. No verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar, cast
from urllib.parse import urlsplit

from msgspec import Struct, field

from egressd.attribution.facts.address import AddressKind, kind_of_address
from egressd.attribution.facts.chain import private_authorities, proven_names, public_authorities
from egressd.attribution.facts.peer_comparison import PeerComparison, domain_of, hosts_derived
from egressd.attribution.facts.stats import (
    ANSWERS,
    DIRECT,
    NO_DIAL_STATS,
    NO_RESOLVER_STATS,
    DialStats,
    Endpoint,
    ResolverStats,
    answered_tls,
    connected_by_source,
    count_dials,
    count_resolvers,
    observations,
    seen_since,
    source_addresses,
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
CUTS = frozenset({Failure.RESET, Failure.CLOSED, Failure.TIMEOUT})
"""What a party on the way can do to a session that it can't read."""
NO_CONNECT = frozenset({400, 404, 405, 501})
"""What a web server answers to CONNECT."""

Key = TypeVar("Key")
Value = TypeVar("Value")


class SweepIndex(Struct, frozen=True, kw_only=True):
    """One recording, and what it shows as a whole."""

    recording: Recording
    probes: Mapping[str, Probe]
    targets: Mapping[str, Target]
    trails: Mapping[str, tuple[Trail, ...]]
    """By probe."""
    controls: Mapping[str, tuple[Control, ...]]
    """By subject; the empty subject holds those about the whole sweep."""
    accept_all: frozenset[str]
    """Sources for which an address that can't exist accepted a connection."""
    unused_dials: Mapping[tuple[str, Family, int], bool]
    """By source, family and port: whether an address that can't exist accepted a connection."""
    dns_intercepted: frozenset[str]
    """Sources for which an address that runs no DNS answered a query for a name that nobody blocks."""
    resolvers: Mapping[tuple[str, str], ResolverStats]
    """By source and resolver."""
    dials: Mapping[tuple[str, Family], DialStats]
    reached: Mapping[str, frozenset[Endpoint]]
    """By source: everything it connected to."""
    source_addresses: Mapping[str, tuple[str, ...]]
    """By source: the local addresses it dialled from, the most used first."""
    probes_by_host: Mapping[str, tuple[Probe, ...]]
    working_proxies: frozenset[str]
    """Proxies that opened a tunnel for any name, or forwarded a plain request with success."""
    tunnel_answered_sni: Mapping[str, frozenset[str]]
    """By proxy: the server names that got a TLS answer in a tunnel."""
    not_proxies: frozenset[str]
    """Configured proxies that do not know CONNECT, whatever else they answer."""
    answered_sni: Mapping[tuple[str, str, int], frozenset[str]]
    """By source, address and port: the server names that got a ServerHello there."""
    unanswered_sni: Mapping[tuple[str, str, int], frozenset[str]]
    """The same for names that got a connection and no TLS answer."""
    proven_names: Mapping[tuple[str, str, int], frozenset[str]]
    """By source, address and port: the server names that were proven there by a public chain."""
    private_issuers: Mapping[str, frozenset[str]]
    """Hosts by the key of the authority of a chain that leads to no public root."""
    public_authorities: frozenset[str]
    """Keys of the authorities on paths that lead to public roots."""
    private_hosts: frozenset[str]
    """Hosts that some catalog row marks private-link capable: true of the name, whichever product asks."""
    internal_hosts: frozenset[str]
    """Hosts of the operator's own network."""
    catalog_hosts: frozenset[str]
    """Hosts of the catalog, as opposed to the operator's own endpoints."""
    derived_hosts: frozenset[str]
    """Hosts that egressd derived and nothing vouches for: they need not exist."""
    peers: PeerComparison
    revocation_hosts: frozenset[str]
    """Hosts named by the received chains for CRLs, OCSP and issuers."""
    redirects_in_clear: Mapping[str, frozenset[str]]
    """By host that answers in clear text lead to: the domains of the hosts that were asked."""
    sessions_cut: Mapping[tuple[str, str, Failure], frozenset[tuple[str, str]]]
    """By source, path and failure: host and address of genuine sessions that ended so after the request."""
    known: dict[Callable[[SweepIndex], object], object] = field(default_factory=dict)
    """What `once` computed."""

    @classmethod
    def build(cls, recording: Recording) -> SweepIndex:
        """Compute the index of a recording."""
        plan = recording.plan
        trails = {record.probe: record.trails for record in recording.records}
        probes = {probe.id: probe for probe in plan.probes}
        seen = {key: some for key, some in trails.items() if seen_since(some, recording.evidence_since)}
        every = tuple(trail for some in seen.values() for trail in some)
        controls = _grouped(recording.controls, lambda one: one.subject)
        ordinary = [one for one in recording.controls if one.kind not in SYNTHETIC_CONTROLS]
        comparable = (*every, *(trail for control in ordinary for trail in control.trails))
        everything = (*every, *(trail for control in recording.controls for trail in control.trails))
        dials = count_dials(comparable, plan.trust.public_networks)
        handshakes = [one for trail in every for one in trail.handshakes]
        known_authorities = public_authorities(one for trail in comparable for one in trail.handshakes)
        return cls(
            recording=recording,
            probes=probes,
            targets={target.id: target for target in plan.targets},
            trails=trails,
            controls=controls,
            accept_all=_sources(recording.controls, ControlKind.TESTNET_TCP, succeeded_in(Phase.TCP)),
            unused_dials=dict(_unused_dials(recording.controls)),
            dns_intercepted=_sources(
                (one for one in recording.controls if not one.subject), ControlKind.TESTNET_DNS, _answered_dns
            ),
            resolvers=count_resolvers(everything),
            dials=dials,
            reached=connected_by_source(dials),
            source_addresses=source_addresses(every),
            probes_by_host=_grouped(plan.probes, lambda one: one.host),
            working_proxies=frozenset(one.path for one in everything if _works_by_proxy(one)),
            tunnel_answered_sni=_sets(_tunnel_sni(every)),
            not_proxies=_not_proxies(everything),
            answered_sni=_sets(_direct_sni(comparable, answered=True)),
            unanswered_sni=_sets(_direct_sni(comparable, answered=False)),
            proven_names=_sets(proven_names(comparable)),
            private_issuers=_sets(private_authorities(handshakes, public=known_authorities)),
            public_authorities=known_authorities,
            peers=PeerComparison.build(seen, controls, public=plan.trust.public_networks),
            revocation_hosts=_revocation_hosts(handshakes),
            redirects_in_clear=_sets(_redirects_in_clear(everything)),
            sessions_cut=_sets(_sessions_cut(every)),
            derived_hosts=hosts_derived(plan.targets),
            private_hosts=frozenset(target.host.lower() for target in plan.targets if target.private_link),
            internal_hosts=frozenset(target.host.lower() for target in plan.targets if target.internal),
            catalog_hosts=frozenset(
                target.host.lower() for target in plan.targets if target.sample is not SampleKind.GIVEN
            ),
        )

    def once(self, compute: Callable[[SweepIndex], Value]) -> Value:
        """Return what a function finds in the whole sweep; it is called at the first question only."""
        if compute not in self.known:
            self.known[compute] = compute(self)
        return cast(Value, self.known[compute])

    def resolver_stats(self, source: str, resolver: str) -> ResolverStats:
        """Return how a resolver behaved."""
        return self.resolvers.get((source, resolver), NO_RESOLVER_STATS)

    def dial_stats(self, source: str, family: Family) -> DialStats:
        """Return how dials ended."""
        return self.dials.get((source, family), NO_DIAL_STATS)

    def lacks_family(self, source: str, family: Family) -> bool:
        """Return whether a source has no path of this family, but has one of the other."""
        other = Family.IPV4 if family is Family.IPV6 else Family.IPV6
        lacking = self.dial_stats(source, family).lacks_family
        return lacking and not self.dial_stats(source, other).lacks_family

    def accepts_anything(self, source: str, family: Family, port: int) -> bool:
        """Return whether a connection to a port proves nothing: an unused address accepts one too.

        Where that port was not tried, any other of the source and family stands for it.
        """
        known = self.unused_dials.get((source, family, port))
        if known is not None:
            return known
        return any(
            accepted and (of, kind) == (source, family)
            for (of, kind, _), accepted in self.unused_dials.items()
        )

    def connected(self, source: str) -> frozenset[Endpoint]:
        """Return everything a source connected to."""
        return self.reached.get(source, frozenset())

    @property
    def clock_is_off(self) -> bool:
        """Whether this host's clock is too far off to judge certificates by."""
        return abs(self.recording.vantage.clock_offset_seconds or 0.0) > CLOCK_LIMIT

    @property
    def own_roots(self) -> bool:
        """Whether the operator named the roots that count as public."""
        return self.recording.plan.trust.public_roots != "bundled"

    def kind_of_address(self, address: str) -> AddressKind | None:
        """Return what an address can belong to, in the operator's network; None where it is none."""
        return kind_of_address(address, self.recording.plan.trust.public_networks)

    @property
    def has_resolver(self) -> bool:
        """Whether any resolver but the bare `system` is known to this host."""
        return any(name != SYSTEM_RESOLVER for name in self.recording.vantage.resolvers)

    @property
    def unused_proxy_variables(self) -> tuple[str, ...]:
        """The environment's proxy variables, where egressd is configured with no proxy."""
        plan = self.recording.plan
        return () if plan.proxy or plan.plain_proxy else self.recording.vantage.proxy_variables


def _grouped(items: Iterable[Value], key: Callable[[Value], str]) -> dict[str, tuple[Value, ...]]:
    found: dict[str, list[Value]] = {}
    for one in items:
        found.setdefault(key(one), []).append(one)
    return {name: tuple(group) for name, group in found.items()}


def _sets(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, frozenset[Value]]:
    found: dict[Key, set[Value]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in found.items()}


def _sources(
    controls: Iterable[Control], kind: ControlKind, proof: Callable[[Trail], bool]
) -> frozenset[str]:
    return frozenset(
        control.source
        for control in controls
        if control.kind is kind and any(proof(trail) for trail in control.trails)
    )


def _unused_dials(controls: Iterable[Control]) -> Iterator[tuple[tuple[str, Family, int], bool]]:
    for control in controls:
        if control.kind is ControlKind.TESTNET_TCP:
            family = Family.IPV6 if ":" in (control.address or "") else Family.IPV4
            accepted = any(map(succeeded_in(Phase.TCP), control.trails))
            yield (control.source, family, control.port), accepted


def succeeded_in(phase: Phase) -> Callable[[Trail], bool]:
    """Return whether a trail got through a phase."""
    return lambda trail: (one := trail.seen(phase)) is not None and one.failure is None


def _answered_dns(trail: Trail) -> bool:
    one = trail.seen(Phase.DNS)
    return one is not None and (one.failure in ANSWERS or one.failure is Failure.RCODE)


def _works_by_proxy(trail: Trail) -> bool:
    """Whether the proxy opened the tunnel, or forwarded a plain request and got no error for it."""
    if trail.seen(Phase.PROXY) is not None:
        return succeeded_in(Phase.PROXY)(trail)
    one = trail.seen(Phase.HTTP)
    answered = isinstance(one, HttpObservation) and one.status is not None and one.status < 400
    return trail.path != DIRECT and answered


def _tunnel_sni(trails: Iterable[Trail]) -> Iterator[tuple[str, str]]:
    for trail in trails:
        if trail.path != DIRECT:
            yield from ((trail.path, one.sni.lower()) for one in trail.handshakes if answered_tls(one))


def _not_proxies(trails: Iterable[Trail]) -> frozenset[str]:
    """Return the proxies that never opened a tunnel and answer CONNECT as a web server does."""
    seen = [
        (trail.path, one) for trail in trails if isinstance(one := trail.seen(Phase.PROXY), ProxyObservation)
    ]
    opened = {path for path, one in seen if one.failure is None}
    web = {path for path, one in seen if one.status in NO_CONNECT or one.failure is Failure.NOT_HTTP}
    return frozenset(web - opened)


def _direct_sni(trails: Iterable[Trail], *, answered: bool) -> Iterator[tuple[tuple[str, str, int], str]]:
    """Yield source, address and port with the server names that got a ServerHello there, or nothing of TLS.

    An alert is neither: it may be the very failure that is looked into.
    """
    for trail, tls in observations(trails, TlsObservation):
        tcp = trail.seen(Phase.TCP)
        direct = isinstance(tcp, TcpObservation) and trail.path == DIRECT and tcp.max_segment is None
        shown = tls.server_hello if answered else not answered_tls(tls)
        if direct and isinstance(tcp, TcpObservation) and shown:
            yield (trail.source, tcp.remote_address, tcp.remote_port), tls.sni.lower()


def _revocation_hosts(handshakes: Iterable[TlsObservation]) -> frozenset[str]:
    sent = (certificate for one in handshakes for certificate in one.chain)
    urls = {url for one in sent for url in (*one.crl_urls, *one.ocsp_urls, *one.issuer_urls)}
    return frozenset(map(host_of, urls)) - {""}


def _redirects_in_clear(trails: Iterable[Trail]) -> Iterator[tuple[str, str]]:
    for trail, one in observations(trails, HttpObservation):
        place = redirect_place(one)
        if place and not trail.handshakes:
            yield place, domain_of(host_of(f"//{one.host}"))


def _sessions_cut(trails: Iterable[Trail]) -> Iterator[tuple[tuple[str, str, Failure], tuple[str, str]]]:
    for trail in trails:
        last = trail.last
        if not isinstance(last, HttpObservation) or last.failure is None or not is_cut(last):
            continue
        genuine = next(reversed(trail.handshakes), None)
        if genuine is not None and genuine.facts is not None and genuine.facts.publicly_anchored is True:
            key = (trail.source, trail.path, last.failure)
            yield key, (genuine.sni.lower(), trail.address or "")


def redirect_place(http: HttpObservation) -> str:
    """Return the host that an answer leads to, in lower case; empty: none."""
    if http.status is None or not 300 <= http.status < 400:
        return ""
    location = next((value for name, value in http.headers if name.lower() == "location"), "")
    return host_of(http.redirect or location)


def is_cut(http: HttpObservation) -> bool:
    """Whether an exchange ended as a party on the way can end it that can't read the session."""
    if http.failure is Failure.TRUNCATED:
        return http.close_notify is False
    return http.failure in CUTS and http.close_notify is not True


def host_of(url: str) -> str:
    """Return the host a URL names, in lower case; empty where it names none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
