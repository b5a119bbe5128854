"""What received certificates show beside others: whose authority and names they have, and their URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from functools import cache, partial

from msgspec import Struct

from egressd.attribution.facts.address import AddressKind, parse_ip
from egressd.attribution.facts.chain import lacks_public_link
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.destination import Destination, parse_destination
from egressd.model.observation import Certificate, TlsObservation
from egressd.model.plan import Probe
from egressd.model.recording import Trail

ReadUrl = Callable[[str, bool], Destination | None]
"""Reads a URL, of the operator's own network or not."""
CRL, OCSP, ISSUER = "its CRL", "OCSP", "its issuer"


def signs_unrelated_names(context: TrailContext) -> bool:
    """Whether a private authority signed this chain, and names of other owners too.

    By its key: names are anybody's. One authority for all of an operator's own servers is normal.
    """
    return not context.target.internal and context.authority in context.index.once(_of_unrelated_names)


def _of_unrelated_names(index: SweepIndex) -> frozenset[str]:
    """Return the private authorities that signed names of several owners."""
    return frozenset(
        authority
        for authority, hosts in index.private_issuers.items()
        if len({domain_of(one) for one in hosts - index.internal_hosts}) > 1
    )


def missing_link_is_public(context: TrailContext) -> bool:
    """Whether only a certificate between the chain and a public root was not sent."""
    tls = context.tls
    return tls is not None and lacks_public_link(tls, public=context.index.public_authorities)


def names_neighbour(context: TrailContext) -> bool:
    """Whether the certificate is for other names of the host's own domain, and not for the host."""
    tls = context.tls
    if tls is None or tls.facts is None or tls.facts.name_matches is not False or not tls.chain:
        return False
    is_name = parse_ip(context.probe.host) is None
    return is_name and domain_of(context.probe.host) in {domain_of(one) for one in tls.chain[0].san}


class CertificateUrl(Struct, frozen=True, kw_only=True):
    """A plain-HTTP URL in a certificate."""

    kind: str
    at: Destination
    probe: str
    """The id of a probe that received the certificate."""
    private: bool = False
    """Whether the operator's network may hold the server: the endpoint is theirs, and in it."""


def certificate_urls(
    index: SweepIndex, source: str, *, probed: AbstractSet[str] | None = None
) -> tuple[CertificateUrl, ...]:
    """Return the URLs in the verified public chains a source received, each once.

    Only certificates of the path count: anybody can send others along, with any URL in them. Of the probes
    that received one, the last of the `probed` is named; None: the last.
    """
    probes = [one for one in index.recording.plan.probes if one.source == source and not one.contrast]
    if probed is not None:
        probes.sort(key=lambda one: one.id in probed)
    read = cache(partial(_admitted, index))  # most chains of a sweep name the same servers
    return tuple({url.at: url for probe in probes for url in _urls_of(index, probe, read)}.values())


def _admitted(index: SweepIndex, url: str, private: bool) -> Destination | None:  # noqa: FBT001 - a part of the key
    networks = index.recording.plan.trust.public_networks
    return parse_destination(url, schemes=("http",), private=private, public_networks=networks)


def _urls_of(index: SweepIndex, probe: Probe, read: ReadUrl) -> Iterator[CertificateUrl]:
    for trail, one in observations(index.trails.get(probe.id, ()), TlsObservation):
        verified = one.failure is None and one.verify_code == 0
        if not verified or one.facts is None or one.facts.publicly_anchored is not True:
            continue
        path = {certificate.sha256 for certificate in one.path}
        private = is_in_own_network(index, probe, trail)
        for certificate in one.chain:
            if certificate.sha256 in path:
                yield from _in_certificate(certificate, probe.id, read, private=private)


def _in_certificate(
    one: Certificate, probe: str, read: ReadUrl, *, private: bool
) -> Iterator[CertificateUrl]:
    for kind, urls in ((CRL, one.crl_urls), (OCSP, one.ocsp_urls), (ISSUER, one.issuer_urls)):
        for url in urls:
            at = read(url, private)
            if at is not None:
                yield CertificateUrl(kind=kind, at=at, probe=probe, private=private)


def is_in_own_network(index: SweepIndex, probe: Probe, trail: Trail) -> bool:
    """Return whether the operator's own endpoint answered at an address of the operator's network.

    What it names may be there as well. Where `connect_to` replaced the address, DNS says nothing about it.
    """
    targets = [index.targets[one] for one in probe.targets if one in index.targets]
    own = bool(targets) and all(one.is_own for one in targets)
    at = index.kind_of_address(trail.address or "")
    return own and at is AddressKind.PRIVATE and not trail.redirected
