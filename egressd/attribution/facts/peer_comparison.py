"""What the conversations of a sweep show side by side, so that one of them can be seen to differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from egressd.attribution.facts.address import (
    AddressKind,
    Networks,
    is_nat64,
    kind_of_address,
    neighbourhood_of,
    parse_ip,
)
from egressd.attribution.facts.loss_pattern import LossPatterns
from egressd.attribution.facts.stats import observations
from egressd.model.endpoint import SampleKind
from egressd.model.observation import DnsObservation, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind, Target
from egressd.model.recording import Control, Trail
from egressd.model.settings import SYSTEM_RESOLVER, Family

TLS13 = "TLSv1.3"
PRIVATE_LINK = "privatelink."
MOST_SPREAD = 4
"""Addresses in a row: names lie within so many times their number."""
LEAST_NAMES, LEAST_DOMAINS = 3, 2
ARC_SCOPE = "Azure Arc"
_SCOPES = {
    ARC_SCOPE: re.compile(
        r"(.+\.)?(his\.arc|guestconfiguration|kubernetesconfiguration)\.azure\.(com|us|cn)\.?"
    ),
    "Azure Monitor": re.compile(
        r"(.+\.)?((ods|oms)\.opinsights\.azure|monitor\.azure|agentsvc\.azure-automation)\.(com|us|cn|net)\.?"
    ),
}
"""By product: the names of one scope. https://learn.microsoft.com/azure/azure-arc/servers/private-link-security,
https://learn.microsoft.com/azure/azure-monitor/fundamentals/private-link-security."""


class NameView(Struct, frozen=True, kw_only=True):
    """What a name leads to for programs of this host: by family, private endpoints and public addresses."""

    private: frozenset[Family]
    public: frozenset[Family]
    answers: Mapping[str, tuple[str, ...]]
    """The addresses, by resolver."""

    def gives(self, address: str) -> bool:
        """Return whether programs are given the address."""
        return any(address in some for some in self.answers.values())

    @property
    def shown(self) -> str:
        """The addresses and who gives them, for people."""
        places: dict[tuple[str, ...], list[str]] = {}
        for resolver, some in self.answers.items():
            places.setdefault(some, []).append(resolver)
        return "; ".join(f"{' '.join(some)} by {' and '.join(one)}" for some, one in places.items())


class PeerComparison(Struct, frozen=True, kw_only=True):
    """What one conversation can be compared with."""

    loss_patterns: LossPatterns
    uninspected: frozenset[tuple[str, str]]
    """Sources and paths along which some chain led to a public root."""
    with_tls13: frozenset[tuple[str, str]]
    """By source: domains and addresses that, uninspected, negotiated TLS 1.3."""
    nxdomain_rewrites: Mapping[tuple[str, str], frozenset[str]]
    """By source and resolver: addresses given for labels of unrelated zones that can't exist."""

    invented: frozenset[tuple[str, str]]
    """By source: addresses in a row that names of several owners got, none of which answers."""
    names: Mapping[tuple[str, str], NameView]
    """By source and name: what it leads to, of those that were answered."""

    @classmethod
    def build(
        cls,
        trails: Mapping[str, tuple[Trail, ...]],
        controls: Mapping[str, tuple[Control, ...]],
        *,
        public: Networks = (),
    ) -> PeerComparison:
        """Compare the trails, by probe, and the controls, by subject, of a sweep.

        `public` are networks that count as the Internet although they are reserved.
        """
        every = tuple(trail for some in trails.values() for trail in some)
        sound = [(trail, tls) for trail in every if (tls := _public_handshake(trail)) is not None]
        working = {trail.address for trail, _ in sound}
        return cls(
            loss_patterns=LossPatterns.build(trails, controls),
            uninspected=frozenset((trail.source, trail.path) for trail, _ in sound),
            with_tls13=frozenset(
                key for trail, tls in sound if tls.version == TLS13 for key in _keys(trail, tls)
            ),
            invented=invented_addresses(every),
            names=views_of_names(every, public),
            nxdomain_rewrites=_nxdomain_rewrites(controls.get("", ()), working=working),
        )

    def is_nxdomain_rewrite(self, source: str, resolver: str, address: str) -> bool:
        """Whether a resolver gives the address for names that can't exist."""
        return address in self.nxdomain_rewrites.get((source, resolver), frozenset())

    def view(self, source: str, name: str) -> NameView | None:
        """Return what a name leads to from a source; None where nothing is known."""
        return self.names.get((source, name.lower().rstrip(".")))


def hosts_derived(targets: Iterable[Target]) -> frozenset[str]:
    """Return the hosts, in lower case, that egressd derived and that no other target vouches for."""
    targets = tuple(targets)
    derived = {one.host.lower() for one in targets if one.sample is SampleKind.DERIVED}
    return frozenset(derived - {one.host.lower() for one in targets if one.is_proof})


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


def scope_of(name: str) -> str | None:
    """Return the product whose private link scope holds the name; None where there is none."""
    return next((scope for scope, names in _SCOPES.items() if names.fullmatch(name.lower())), None)


def views_of_names(trails: Iterable[Trail], public: Networks = ()) -> Mapping[tuple[str, str], NameView]:
    """Return, by source and name, the kinds of addresses that programs are given.

    A nameserver that knows none of getaddrinfo's private addresses is not what programs ask: the names are in
    the hosts file, which is a documented way of private link.
    """
    found: dict[tuple[str, str], list[DnsObservation]] = {}
    for trail, one in observations(trails, DnsObservation):
        if one.answers:
            found.setdefault((trail.source, one.name.lower().rstrip(".")), []).append(one)
    return {key: _view(answers, public) for key, answers in found.items()}


def _view(answers: list[DnsObservation], public: Networks) -> NameView:
    private = [one for one in answers if _is_private(one, public)]
    if private and all(one.resolver == SYSTEM_RESOLVER for one in private):
        answers = [one for one in answers if one.resolver == SYSTEM_RESOLVER]
    return NameView(
        private=frozenset(_family(one) for one in private),
        public=frozenset(_family(one) for one in answers if _is_public(one, public)),
        answers=_by_resolver(answers),
    )


def _by_resolver(answers: list[DnsObservation]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for one in answers:
        found[one.resolver] = tuple(dict.fromkeys((*found.get(one.resolver, ()), *one.answers)))
    return found


def _family(one: DnsObservation) -> Family:
    return Family.IPV6 if one.type == "AAAA" else Family.IPV4


def _is_private(one: DnsObservation, public: Networks) -> bool:
    return any(kind_of_address(answer, public) is AddressKind.PRIVATE for answer in one.answers)


def _is_public(answer: DnsObservation, public: Networks) -> bool:
    ordinary = (one for one in answer.answers if kind_of_address(one, public) is AddressKind.ORDINARY)
    return any(not is_nat64(one) for one in ordinary)


def invented_addresses(trails: Iterable[Trail]) -> frozenset[tuple[str, str]]:
    """Return, by source, addresses that look handed out in a row: one per name, for names of several owners.

    Nothing in their network answers, while other networks of the family do. A service's own names may be
    neighbours too, but each has several addresses, or some of them answer.
    """
    trails = tuple(trails)
    answered = {
        (trail.source, one.remote_address)
        for trail, one in observations(trails, TcpObservation)
        if one.failure is None
    }
    given = [
        (trail.source, one.name.lower(), address)
        for trail, one in observations(trails, DnsObservation)
        for address in one.answers
        if (trail.source, address) not in answered
    ]
    return _given_in_a_row(given, answered) if given else frozenset()


def _given_in_a_row(
    given: Iterable[tuple[str, str, str]], answered: Iterable[tuple[str, str]]
) -> frozenset[tuple[str, str]]:
    """Return the invented ones of addresses `given`, by source and name; others have `answered`."""
    alive = {(source, neighbourhood_of(address)) for source, address in answered}
    answering = {(source, ":" in network) for source, network in alive}
    by_network: dict[tuple[str, str], dict[str, set[str]]] = {}
    for source, name, address in given:
        names = by_network.setdefault((source, neighbourhood_of(address)), {})
        names.setdefault(name, set()).add(address)
    return frozenset(
        (source, address)
        for (source, network), names in by_network.items()
        if (source, network) not in alive and (source, ":" in network) in answering and _is_in_a_row(names)
        for addresses in names.values()
        for address in addresses
    )


def _is_in_a_row(names: Mapping[str, set[str]]) -> bool:
    given = {address for addresses in names.values() for address in addresses}
    places = [int(one) for address in given if (one := parse_ip(address)) is not None]
    several = len(names) >= LEAST_NAMES and len({domain_of(name) for name in names}) >= LEAST_DOMAINS
    return several and len(given) == len(names) and max(places) - min(places) < MOST_SPREAD * len(names)
