"""Detector of revocation and issuer servers that are out of reach, or replaced by a device on the way.

These are findings about the path, without targets: the TLS sessions themselves work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from egressd.attribution.advice import listed, source_address
from egressd.attribution.blame.suspects import (
    NAME_DENIED,
    REVOCATION_ANSWER,
    REVOCATION_UNREACHABLE,
    Signature,
)
from egressd.attribution.detectors.build import finding_about_path
from egressd.attribution.evidence import control_lines
from egressd.attribution.facts.cert_urls import OCSP, CertificateUrl, certificate_urls
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.vendors import product_of
from egressd.attribution.reasons import REASONS
from egressd.model.observation import Failure, HttpObservation, Observation, Phase
from egressd.model.plan import ControlKind
from egressd.model.recording import Control
from egressd.model.verdict import Confidence, Finding

UNREACHABLE, TAMPERED = "pki_revocation_unreachable", "pki_revocation_tampered"
DENIED = frozenset({407, 470, 511})
"""Statuses that only a device on the way gives."""
MOST_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFetch:
    """A URL, how fetching it ended, and what is wrong with that."""

    url: CertificateUrl
    control: Control
    last: Observation
    code: str


def revocation(index: SweepIndex) -> list[Finding]:
    """Return one finding for each reason code."""
    groups: defaultdict[str, list[FailedFetch]] = defaultdict(list)
    for one in _failed_fetches(index):
        groups[one.code].append(one)
    return [_finding(index, code, some) for code, some in sorted(groups.items())]


def _failed_fetches(index: SweepIndex) -> Iterator[FailedFetch]:
    fetches = [one for one in index.recording.controls if one.kind is ControlKind.REVOCATION]
    urls = {
        (source, url.host, url.port, url.path): url
        for source in dict.fromkeys(one.source for one in fetches)
        for url in certificate_urls(index, source)
    }
    for control in fetches:
        url = urls.get((control.source, control.host, control.port, control.url))
        last = _last(control)
        if url is not None and last is not None and (code := _code(url, last)):
            yield FailedFetch(url=url, control=control, last=last, code=code)


def _last(control: Control) -> Observation | None:
    """Return the last observation of the best trail."""
    ends = [trail.last for trail in control.trails if trail.last is not None]
    return next((one for one in ends if one.failure is None), ends[0] if ends else None)


def _code(url: CertificateUrl, last: Observation) -> str:
    """Return the reason code; empty: nothing is wrong. Any HTTP answer proves an OCSP server."""
    if not isinstance(last, HttpObservation) or last.status is None:
        return UNREACHABLE if last.failure is not None else ""
    if last.status in DENIED or product_of(last):
        return TAMPERED
    if url.kind == OCSP:
        return ""
    if last.status == 200:
        return "" if last.der is not False and last.failure is None else TAMPERED
    return UNREACHABLE


def _finding(index: SweepIndex, code: str, some: list[FailedFetch]) -> Finding:
    reason = REASONS[code]
    hosts = list(dict.fromkeys(one.url.host for one in some))
    sources = sorted({source_address(index, one.control.source) for one in some})
    lines = [line for one in some for line in control_lines(one.control)]
    named = [f"{one.url.url} is named for {one.url.kind}" for one in some]
    return finding_about_path(
        code,
        "",
        sure=_sure(some),
        title=f"{reason.title} ({listed(hosts)})",
        evidence=tuple(dict.fromkeys((*lines[:1], *named[:MOST_LINES], *lines[1:MOST_LINES]))),
        values={"host": listed(hosts), "source": listed(sources), "port": "80"},
        suspects=_suspects(some),
    )


def _sure(some: list[FailedFetch]) -> Confidence:
    """Return medium for a single silence, which is no proof."""
    silent = all(one.last.failure is Failure.TIMEOUT for one in some)
    return Confidence.MEDIUM if silent and len(some) == 1 else Confidence.HIGH


def _suspects(some: list[FailedFetch]) -> Signature:
    """Return who can have caused it: by the phase that failed, and by whether anything was answered."""
    if {one.last.phase for one in some} == {Phase.DNS}:
        return NAME_DENIED
    answered = any(isinstance(one.last, HttpObservation) for one in some)
    return REVOCATION_ANSWER if answered else REVOCATION_UNREACHABLE
