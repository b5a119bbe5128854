"""Revocation and issuer servers that the received chains name: out of reach, or answered by somebody else.

These are findings about the path and take no target down: the sessions themselves work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from egressd.attribution.advice import listed, source_address
from egressd.attribution.detectors.build import slug
from egressd.attribution.evidence import control_lines
from egressd.attribution.facts.cert_urls import OCSP, CertificateUrl, certificate_urls
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.vendors import page_product
from egressd.attribution.reasons import REASONS
from egressd.model.observation import Failure, HttpObservation, Observation, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Control
from egressd.model.verdict import Blame, Confidence, Finding

UNREACHABLE, TAMPERED = "pki_revocation_unreachable", "pki_revocation_tampered"
DENIED = frozenset({407, 470, 511})
"""Statuses that only something on the way gives."""
MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A URL, how fetching it ended, and what is wrong with that."""

    link: CertificateUrl
    control: Control
    last: Observation
    code: str


def revocation(index: SweepIndex) -> list[Finding]:
    """Return what is wrong with the servers of the chains, one finding for each way to be wrong."""
    groups: defaultdict[str, list[Fetched]] = defaultdict(list)
    for one in _fetched(index):
        groups[one.code].append(one)
    return [_finding(index, code, some) for code, some in sorted(groups.items())]


def _fetched(index: SweepIndex) -> Iterator[Fetched]:
    asked = [one for one in index.recording.controls if one.kind is ControlKind.REVOCATION]
    links: dict[str, dict[tuple[str, int, str], CertificateUrl]] = {}
    for control in asked:
        if control.source not in links:
            known = certificate_urls(index, control.source)
            links[control.source] = {(one.host, one.port, one.path): one for one in known}
        link = links[control.source].get((control.host, control.port, control.url))
        last = _last(control)
        if link is not None and last is not None and (code := _wrong(link, last)):
            yield Fetched(link=link, control=control, last=last, code=code)


def _last(control: Control) -> Observation | None:
    """Return how the best of its trails ended."""
    ends = [trail.last for trail in control.trails if trail.last is not None]
    return next((one for one in ends if one.failure is None), ends[0] if ends else None)


def _wrong(link: CertificateUrl, last: Observation) -> str:
    """Return the code of what is wrong; empty: nothing. Any answer of its own shows an OCSP server."""
    if not isinstance(last, HttpObservation) or last.status is None:
        return UNREACHABLE if last.failure is not None else ""
    text = " ".join((*(f"{name}: {value}" for name, value in last.headers), last.title, last.body))
    if last.status in DENIED or page_product(text):
        return TAMPERED
    if link.kind == OCSP:
        return ""
    if last.status == 200:
        return "" if last.der is not False and last.failure is None else TAMPERED
    return UNREACHABLE


def _finding(index: SweepIndex, code: str, some: list[Fetched]) -> Finding:
    reason = REASONS[code]
    hosts = list(dict.fromkeys(one.link.host for one in some))
    sources = sorted({source_address(index, one.control.source) for one in some})
    lines = [line for one in some for line in control_lines(one.control)]
    named = [f"{one.link.url} is named for {one.link.kind}" for one in some]
    return Finding(
        id=slug(code, ""),
        reason=code,
        blame=_blame(some) or reason.blame,
        confidence=_sure(some),
        title=f"{reason.title} ({listed(hosts)})",
        targets=(),
        evidence=tuple(dict.fromkeys((*lines[:1], *named[:MOST_LINES], *lines[1:MOST_LINES]))),
        advice=reason.advise({"host": listed(hosts), "source": listed(sources), "port": "80"}),
    )


def _sure(some: list[Fetched]) -> Confidence:
    """Silence that was heard once is no proof."""
    silent = all(one.last.failure is Failure.TIMEOUT for one in some)
    return Confidence.MEDIUM if silent and len(some) == 1 else Confidence.HIGH


def _blame(some: list[Fetched]) -> Blame | None:
    """Blame the resolver for names that do not resolve, and the server for its own refusal."""
    phases = {one.last.phase for one in some}
    if phases == {Phase.DNS}:
        return Blame.DNS_RESOLVER
    answered = all(isinstance(one.last, HttpObservation) and one.last.status for one in some)
    return Blame.PKI_ENDPOINT if answered and some[0].code == UNREACHABLE else None
