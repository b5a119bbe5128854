"""What received certificates show beside others: whose authority and names they have, and their URLs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.chain import lacks_public_link
from egressd.attribution.facts.peer_comparison import domain_of
from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Certificate, TlsObservation
from egressd.model.plan import Probe

CRL, OCSP, ISSUER = "its CRL", "OCSP", "its issuer"


def signs_unrelated_names(context: TrailContext) -> bool:
    """Whether a private authority signed this chain, and names of other owners too.

    By its key: names are anybody's. One authority for all of an operator's own servers is normal.
    """
    hosts = context.index.private_issuers.get(context.authority, frozenset()) - context.index.internal_hosts
    return not context.target.internal and len({domain_of(one) for one in hosts}) > 1


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateUrl:
    """A plain-HTTP URL in a certificate."""

    kind: str
    host: str
    port: int
    path: str
    probe: str
    """The id of a probe that received the certificate."""

    @property
    def url(self) -> str:
        """The whole URL."""
        authority = self.host if self.port == 80 else f"{self.host}:{self.port}"
        return f"http://{authority}{self.path}"


def certificate_urls(index: SweepIndex, source: str) -> tuple[CertificateUrl, ...]:
    """Return the URLs in the publicly anchored chains a source received, each once."""
    probes = (one for one in index.recording.plan.probes if one.source == source and not one.contrast)
    return tuple({url.url: url for probe in probes for url in _urls_of(index, probe)}.values())


def _urls_of(index: SweepIndex, probe: Probe) -> Iterator[CertificateUrl]:
    for _, one in observations(index.trails.get(probe.id, ()), TlsObservation):
        if one.facts is not None and one.facts.publicly_anchored is True:
            for certificate in one.chain:
                yield from _in_certificate(certificate, probe.id)


def _in_certificate(one: Certificate, probe: str) -> Iterator[CertificateUrl]:
    for kind, urls in ((CRL, one.crl_urls), (OCSP, one.ocsp_urls), (ISSUER, one.issuer_urls)):
        yield from (found for url in urls if (found := _parse_url(url, kind, probe)) is not None)


def _parse_url(url: str, kind: str, probe: str) -> CertificateUrl | None:
    """Parse a URL; None where it is malformed or not plain HTTP."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 80
    except ValueError:
        return None
    if parts.scheme.lower() != "http" or not host or not url.isprintable() or " " in url:
        return None
    path = parts.path or "/"
    path = f"{path}?{parts.query}" if parts.query else path
    return CertificateUrl(kind=kind, host=host, port=port, path=path, probe=probe)
