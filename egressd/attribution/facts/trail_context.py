"""One trail with its probe, its target and the index of the sweep: what every rule is given.

Facts and comparisons only, no verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from egressd.attribution.facts.chain import authority_key, issuer_of
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.stats import DIRECT, DialStats, ResolverStats, Seen, observations
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.model.endpoint import Protocol, SampleKind
from egressd.model.observation import (
    DnsObservation,
    Failure,
    HttpObservation,
    Icmp,
    NtpObservation,
    Observation,
    Phase,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ELSEWHERE_CONTROLS, ControlKind, Probe, Target
from egressd.model.recording import Control, Trail
from egressd.model.settings import SYSTEM_RESOLVER

LAST_PHASE = {
    Protocol.HTTPS: Phase.HTTP,
    Protocol.HTTP: Phase.HTTP,
    Protocol.WSS: Phase.HTTP,
    Protocol.TLS: Phase.TLS,
    Protocol.TCP: Phase.TCP,
    Protocol.UDP: Phase.NTP,
    Protocol.NTP: Phase.NTP,
    Protocol.DNS: Phase.DNS,
    Protocol.ICMP: Phase.DNS,
}

HANDSHAKE_FAILURE, UNRECOGNIZED_NAME, CERTIFICATE_REQUIRED = 40, 112, 116
STRICT_CODES = frozenset(range(80, 95))
"""OpenSSL verify codes that only X509_V_FLAG_X509_STRICT produces."""


class TrailContext(Struct, frozen=True, kw_only=True, dict=True):
    """One trail of a probe, judged for one of its targets.

    Every rule reads the same few values, so they are computed once (which is why there are no slots).
    """

    trail: Trail
    probe: Probe
    target: Target
    index: SweepIndex

    @property
    def source(self) -> str:
        """The name of the source."""
        return self.probe.source

    @cached_property
    def probe_trails(self) -> tuple[Trail, ...]:
        """Every trail of the probe, this one included."""
        return self.index.trails.get(self.probe.id, ())

    @cached_property
    def dns(self) -> DnsObservation | None:
        """The DNS answer whose address was dialled."""
        return _last(self.trail, DnsObservation)

    @cached_property
    def tcp(self) -> TcpObservation | None:
        """The dial."""
        return _last(self.trail, TcpObservation)

    @cached_property
    def tunnel(self) -> ProxyObservation | None:
        """The CONNECT."""
        return _last(self.trail, ProxyObservation)

    @cached_property
    def tls(self) -> TlsObservation | None:
        """The handshake with the target; the one with a proxy does not count."""
        return next(reversed(self.trail.handshakes), None)

    @cached_property
    def http(self) -> HttpObservation | None:
        """The HTTP exchange."""
        return _last(self.trail, HttpObservation)

    @cached_property
    def ntp(self) -> NtpObservation | None:
        """The NTP exchange."""
        return _last(self.trail, NtpObservation)

    @cached_property
    def failing(self) -> Observation | None:
        """The first observation that failed."""
        return next((one for one in self.trail.observations if one.failure is not None), None)

    @property
    def failed_in(self) -> Phase | None:
        """The phase that failed."""
        failing = self.failing
        return failing.phase if failing is not None else None

    @property
    def proxied(self) -> bool:
        """Whether the trail goes through an explicit proxy."""
        return self.trail.path != DIRECT

    @property
    def random(self) -> bool:
        """Whether the host is a random label: it tests a wildcard rule, and need not exist."""
        return self.target.sample is SampleKind.RANDOM

    @property
    def derived(self) -> bool:
        """Whether the name is egressd's own guess: it need not exist, nor be what its row stands for.

        A random label sent to the address of a guess is one as well.
        """
        asked = (self.probe.host, *(self.probe.siblings if self.random else ()))
        return any(one.lower().rstrip(".") in self.index.derived_hosts for one in asked)

    @property
    def last_phase(self) -> Phase:
        """The phase a complete conversation ends with."""
        usual = LAST_PHASE[self.probe.protocol]
        return Phase.TLS if self.random and self.probe.protocol.encrypted else usual

    @cached_property
    def complete(self) -> bool:
        """Whether every phase succeeded, or the failure itself proves that the path is open."""
        if self.excused:
            return True
        return self.failing is None and self.trail.seen(self.last_phase) is not None

    @cached_property
    def excused(self) -> bool:
        """Whether the trail ended in a failure that only the server itself can have caused."""
        if self.failing is None:
            return False  # asked of every trail by every table
        return self.wants_client_certificate or self.rule_proven or self.strict_only

    @property
    def wants_client_certificate(self) -> bool:
        """Whether the server ended it because it wants a client certificate."""
        tls, http = self.tls, self.http
        if http is not None and http.alert is not None and http.alert.description == CERTIFICATE_REQUIRED:
            return True
        if tls is None or tls.alert is None or not tls.client_certificate_requested:
            return False
        return tls.alert.description in (HANDSHAKE_FAILURE, CERTIFICATE_REQUIRED)

    @property
    def rule_proven(self) -> bool:
        """Whether a random label got an answer no filter sends; a wrong certificate name is expected."""
        tls, tunnel = self.tls, self.tunnel
        if self.random and tunnel is not None and tunnel.failure is Failure.PROXY_STATUS:
            # The proxy's policy let it pass; it need not exist.
            return (tunnel.status or 0) >= 500
        if not self.random or tls is None:
            return False
        refused = tls.alert is not None and tls.alert.description == UNRECOGNIZED_NAME
        return tls.failure is Failure.VERIFY or (refused and self.hello_acked is not False)

    @property
    def strict_only(self) -> bool:
        """Whether the chain fails only X509_STRICT checks, which the agents do not make."""
        tls = self.tls
        return tls is not None and tls.failure is Failure.VERIFY and tls.verify_code in STRICT_CODES

    @property
    def hello_acked(self) -> bool | None:
        """Whether the whole ClientHello was acknowledged; None where the kernel does not know."""
        return hello_arrived(self.tls) if self.tls is not None else None

    @property
    def public_tls(self) -> bool:
        """Whether the server proved its name by a public chain, so that its answer is its own."""
        tls = self.tls
        return (
            tls is not None
            and tls.failure is None
            and (tls.facts is None or tls.facts.publicly_anchored is not False)
        )

    @property
    def address(self) -> str:
        """The candidate address as DNS gave it."""
        return self.trail.address or ""

    @property
    def dialled(self) -> tuple[str, int]:
        """The address and port that were dialled."""
        if self.tcp is not None:
            return self.tcp.remote_address, self.tcp.remote_port
        return self.address, self.probe.port

    @property
    def icmp(self) -> Icmp | None:
        """The ICMP error that ended the trail."""
        match self.failing:
            case TcpObservation(icmp=icmp) | NtpObservation(icmp=icmp):
                return icmp
            case DnsObservation(queries=queries):
                return next((one.icmp for one in queries if one.icmp is not None), None)
            case _:
                return None

    @property
    def duplicate_answer(self) -> bool:
        """Whether it is a resolver's answer that gave no new address to dial."""
        own = self.dns
        return self.trail.address is None and own is not None and own.failure is None

    @property
    def untried_addresses(self) -> bool:
        """Whether DNS gave several addresses of the family and only one was tried."""
        if self.trail.redirected or self.random or self.proxied:
            return False
        same = [one for one in self.probe_trails if one.family is self.trail.family]
        known = {answer for _, one in observations(same, DnsObservation) for answer in one.answers}
        return len(known) > 1 and len({one.address for one in same if one.address}) == 1

    @property
    def dial_unanswered(self) -> bool:
        """Whether a direct dial got no answer."""
        return self.tcp is not None and self.tcp.failure is Failure.TIMEOUT and not self.proxied

    @property
    def loss_pattern(self) -> LossPattern | None:
        """The pattern among lost dials that this unanswered one may belong to."""
        if not self.dial_unanswered:
            return None
        return self.index.peers.loss_patterns.of(self.source, self.trail.family, self.dialled)

    @property
    def reached_by_other_dial(self) -> bool:
        """Whether the address and port that gave no answer here answered another dial of the sweep."""
        return self.dial_unanswered and self.dialled in self.index.connected(self.source)

    @property
    def connected_to_anything(self) -> bool:
        """Whether the connection is one that a device on the way accepts for any address."""
        direct = self.tcp is not None and self.tcp.failure is None and not self.proxied
        if not direct or self.trail.redirected:
            return False
        return self.index.accepts_anything(self.source, self.trail.family, self.dialled[1])

    @property
    def uses_system_resolver(self) -> bool:
        """Whether the name was looked up by the host's own getaddrinfo."""
        return self.trail.resolver == SYSTEM_RESOLVER

    @property
    def resolver_address(self) -> str:
        """The address of the resolver that was asked; empty for getaddrinfo."""
        return self.trail.resolver.rpartition(":")[0].strip("[]")

    @property
    def resolver_stats(self) -> ResolverStats:
        """How the resolver behaved in the whole sweep."""
        return self.index.resolver_stats(self.source, self.trail.resolver)

    @property
    def dial_stats(self) -> DialStats:
        """How the dials of the source and family ended in the whole sweep."""
        return self.index.dial_stats(self.source, self.trail.family)

    def controls(self, kind: ControlKind) -> tuple[Control, ...]:
        """Return the controls of a kind that ran for this probe and address."""
        own = self.index.controls.get(self.probe.id)
        if own is None:
            return ()
        address = self.dialled[0]
        return tuple(
            one
            for one in own
            if one.kind is kind and (kind in ELSEWHERE_CONTROLS or one.address in (None, address))
        )

    def control_results(self, kind: ControlKind, phase: type[Seen]) -> Iterator[Seen]:
        """Yield what those controls observed in one phase."""
        for control in self.controls(kind):
            yield from (one for _, one in observations(control.trails, phase))

    @property
    def has_comparison(self) -> bool:
        """Whether there is anything to compare with: a control, or a conversation that succeeded."""
        if self.index.controls.get(self.probe.id) or self.index.recording.controls:
            return True
        if self.proxied:
            return self.trail.path in self.index.working_proxies
        return bool(self.index.connected(self.source)) or bool(self.resolver_stats.answered)

    @property
    def issuer(self) -> str:
        """The name of the authority that signed the chain received."""
        return issuer_of(self.tls) if self.tls is not None else ""

    @property
    def owned(self) -> bool:
        """Whether the operator runs the server: Azure is never to blame for it."""
        return self.target.is_own

    @property
    def authority(self) -> str:
        """The key of that authority; empty where it is not known."""
        return (authority_key(self.tls) or "") if self.tls is not None else ""

    @property
    def given(self) -> bool:
        """Whether the operator asked for this endpoint, not the catalog."""
        return self.target.sample is SampleKind.GIVEN


def hello_arrived(tls: TlsObservation) -> bool | None:
    """Whether the whole ClientHello was acknowledged; None where the kernel does not know."""
    return tls.info.bytes_acked >= 1 + tls.hello_bytes if tls.info is not None else None


def _last(trail: Trail, phase: type[Seen]) -> Seen | None:
    for one in reversed(trail.observations):  # a generator takes twice as long, for every trail of a sweep
        if isinstance(one, phase):
            return one
    return None
