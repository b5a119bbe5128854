"""What the conversations of a sweep show side by side, so that one of them can be seen to differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from egressd.attribution.facts.loss_pattern import LossPatterns, loss_patterns
from egressd.attribution.facts.stats import handshakes
from egressd.model.observation import DnsObservation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail
from egressd.model.settings import SYSTEM_RESOLVER

TLS13 = "TLSv1.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerComparison:
    """What one conversation can be compared with."""

    loss_patterns: LossPatterns
    """What the dials have in common that got no answer, and that nothing forbids."""
    uninspected: frozenset[tuple[str, str]]
    """Sources and paths along which some chain led to a public root."""
    with_tls13: frozenset[tuple[str, str]]
    """By source: domains and addresses that, uninspected, agreed on TLS 1.3."""
    rewritten_answers: Mapping[tuple[str, str], frozenset[str]]
    """By source and resolver: addresses given for labels of unrelated zones that can't exist."""

    def is_rewritten_answer(self, source: str, resolver: str, address: str) -> bool:
        """Whether a resolver gives the address for names that can't exist."""
        return address in self.rewritten_answers.get((source, resolver), frozenset())


def compare_peers(
    trails: Mapping[str, tuple[Trail, ...]],
    controls: Mapping[str, tuple[Control, ...]],
) -> PeerComparison:
    """Compare everything a sweep saw; `controls` are by subject."""
    every = tuple(trail for some in trails.values() for trail in some)
    sound = [(trail, tls) for trail in every if (tls := _public(trail)) is not None]
    return PeerComparison(
        loss_patterns=loss_patterns(trails, controls),
        uninspected=frozenset((trail.source, trail.path) for trail, _ in sound),
        with_tls13=frozenset(
            key for trail, tls in sound if tls.version == TLS13 for key in _keys(trail, tls)
        ),
        rewritten_answers=_rewritten_answers(
            controls.get("", ()), working={trail.address for trail, _ in sound}
        ),
    )


def domain_of(host: str) -> str:
    """Return the last two labels of a name, in lower case."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _public(trail: Trail) -> TlsObservation | None:
    """Return the handshake that proved the server's name by a public chain."""
    last = next(reversed(handshakes(trail)), None)
    good = last is not None and last.failure is None and last.facts is not None
    return last if good and last is not None and last.facts and last.facts.publicly_anchored else None


def _keys(trail: Trail, tls: TlsObservation) -> Iterable[tuple[str, str]]:
    yield trail.source, domain_of(tls.sni)
    dials = (one for one in trail.observations if isinstance(one, TcpObservation))
    yield from ((trail.source, f"{one.remote_address}:{one.remote_port}") for one in dials)


def _rewritten_answers(
    controls: Iterable[Control], *, working: set[str | None]
) -> dict[tuple[str, str], frozenset[str]]:
    """Return what labels of two domains or more have in common; where a real server answers, is none."""
    given: dict[tuple[str, str], dict[str, set[str]]] = {}
    for control in controls:
        if control.kind is not ControlKind.SIBLING_NAME:
            continue
        for one in (seen for trail in control.trails for seen in trail.observations):
            if isinstance(one, DnsObservation) and one.resolver != SYSTEM_RESOLVER:
                book = given.setdefault((control.source, one.resolver), {})
                for address in one.answers:
                    book.setdefault(address, set()).add(domain_of(control.host))
    found = {
        key: frozenset(address for address, domains in book.items() if len(domains) > 1) - working
        for key, book in given.items()
    }
    return {key: addresses for key, addresses in found.items() if addresses}
