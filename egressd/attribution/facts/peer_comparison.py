"""What the conversations of a sweep show side by side, so that one of them can be seen to differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from egressd.attribution.facts.loss_pattern import LossPatterns
from egressd.attribution.facts.stats import observations
from egressd.model.observation import DnsObservation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail
from egressd.model.settings import SYSTEM_RESOLVER

TLS13 = "TLSv1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerComparison:
    """What one conversation can be compared with."""

    loss_patterns: LossPatterns
    uninspected: frozenset[tuple[str, str]]
    """Sources and paths along which some chain led to a public root."""
    with_tls13: frozenset[tuple[str, str]]
    """By source: domains and addresses that, uninspected, negotiated TLS 1.3."""
    nxdomain_rewrites: Mapping[tuple[str, str], frozenset[str]]
    """By source and resolver: addresses given for labels of unrelated zones that can't exist."""

    @classmethod
    def build(
        cls, trails: Mapping[str, tuple[Trail, ...]], controls: Mapping[str, tuple[Control, ...]]
    ) -> PeerComparison:
        """Compare the trails, by probe, and the controls, by subject, of a sweep."""
        every = tuple(trail for some in trails.values() for trail in some)
        sound = [(trail, tls) for trail in every if (tls := _public_handshake(trail)) is not None]
        working = {trail.address for trail, _ in sound}
        return cls(
            loss_patterns=LossPatterns.build(trails, controls),
            uninspected=frozenset((trail.source, trail.path) for trail, _ in sound),
            with_tls13=frozenset(
                key for trail, tls in sound if tls.version == TLS13 for key in _keys(trail, tls)
            ),
            nxdomain_rewrites=_nxdomain_rewrites(controls.get("", ()), working=working),
        )

    def is_nxdomain_rewrite(self, source: str, resolver: str, address: str) -> bool:
        """Whether a resolver gives the address for names that can't exist."""
        return address in self.nxdomain_rewrites.get((source, resolver), frozenset())


def domain_of(host: str) -> str:
    """Return the last two labels of a name, in lower case."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _public_handshake(trail: Trail) -> TlsObservation | None:
    """Return the handshake that proved the server's name by a public chain."""
    last = next(reversed(trail.handshakes), None)
    if last is None or last.failure is not None or last.facts is None:
        return None
    return last if last.facts.publicly_anchored else None


def _keys(trail: Trail, tls: TlsObservation) -> Iterator[tuple[str, str]]:
    yield trail.source, domain_of(tls.sni)
    for _, one in observations([trail], TcpObservation):
        yield trail.source, f"{one.remote_address}:{one.remote_port}"


def _nxdomain_rewrites(
    controls: Iterable[Control], *, working: set[str | None]
) -> dict[tuple[str, str], frozenset[str]]:
    """Return the addresses given for labels of two domains or more, unless a real server answers there."""
    given: dict[tuple[str, str], dict[str, set[str]]] = {}
    for control in (one for one in controls if one.kind is ControlKind.SIBLING_NAME):
        for _, one in observations(control.trails, DnsObservation):
            if one.resolver != SYSTEM_RESOLVER:
                domains_by_address = given.setdefault((control.source, one.resolver), {})
                for address in one.answers:
                    domains_by_address.setdefault(address, set()).add(domain_of(control.host))
    found = {
        key: frozenset(address for address, domains in by_address.items() if len(domains) > 1) - working
        for key, by_address in given.items()
    }
    return {key: addresses for key, addresses in found.items() if addresses}
