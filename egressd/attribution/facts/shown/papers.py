"""What the received chains name: where CRLs, OCSP answers and issuers are fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from egressd.attribution.facts.tally import observations
from egressd.attribution.facts.whole import Whole
from egressd.model.observation import Certificate, TlsObservation
from egressd.model.plan import Probe

CRL, OCSP, ISSUER = "its CRL", "OCSP", "its issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A plain-HTTP URL out of a certificate."""

    kind: str
    host: str
    port: int
    path: str
    probe: str
    """The id of a probe that received it."""

    @property
    def url(self) -> str:
        """The URL again."""
        place = self.host if self.port == 80 else f"{self.host}:{self.port}"
        return f"http://{place}{self.path}"


def links_of(whole: Whole, source: str) -> tuple[Link, ...]:
    """Return the links of the publicly anchored chains a source received, once each."""
    probes = (one for one in whole.recording.plan.probes if one.source == source and not one.contrast)
    return tuple({link.url: link for probe in probes for link in _links(whole, probe)}.values())


def _links(whole: Whole, probe: Probe) -> Iterator[Link]:
    for _, one in observations(whole.trails.get(probe.id, ()), TlsObservation):
        if one.facts is not None and one.facts.publicly_anchored is True:
            for certificate in one.chain:
                yield from _named_by(certificate, probe.id)


def _named_by(one: Certificate, probe: str) -> Iterator[Link]:
    for kind, urls in ((CRL, one.crl_urls), (OCSP, one.ocsp_urls), (ISSUER, one.issuer_urls)):
        for url in urls:
            link = _read(url, kind, probe)
            if link is not None:
                yield link


def _read(url: str, kind: str, probe: str) -> Link | None:
    """Read a URL; None where it is no plain HTTP, or none at all."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 80
    except ValueError:
        return None
    if parts.scheme.lower() != "http" or not host or not url.isprintable() or " " in url:
        return None
    path = parts.path or "/"
    path = f"{path}?{parts.query}" if parts.query else path
    return Link(kind=kind, host=host, port=port, path=path, probe=probe)
